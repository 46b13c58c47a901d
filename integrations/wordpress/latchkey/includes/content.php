<?php
/**
 * `[latchkey product="sailing"]…[/latchkey]`: content only for people who have a product.
 *
 * @package Latchkey
 */

namespace Latchkey\Content;

use Latchkey\Access;
use Latchkey\Sign_In;
use WP_Post;
use WP_Query;

defined( 'ABSPATH' ) || exit;

const TAG = 'latchkey';

/** A pair of tags, with what is between them. */
const PAIR = '/(?<!\[)\[latchkey(?=[\s\]\/])[^\]]*\].*?\[\/latchkey\](?!\])/s';

/**
 * Hook into WordPress.
 */
function hooks(): void {
	add_shortcode( TAG, __NAMESPACE__ . '\\shortcode' );
	add_filter( 'the_content', __NAMESPACE__ . '\\cut_unpaired', 1 );
	add_filter( 'content_pagination', __NAMESPACE__ . '\\keep_together' );
	add_filter( 'get_the_excerpt', __NAMESPACE__ . '\\excerpt', 1, 2 );
	add_filter( 'posts_search', __NAMESPACE__ . '\\search', 100, 2 );
	add_filter( 'posts_search_orderby', __NAMESPACE__ . '\\search', 100, 2 );
	add_action( 'template_redirect', __NAMESPACE__ . '\\stay_uncached' );
}

/**
 * Whether a text has one of our tags.
 *
 * @param string $text The text.
 */
function has_tag( string $text ): bool {
	return str_contains( $text, '[' . TAG ) || str_contains( $text, '[/' . TAG . ']' );
}

/**
 * The content for whoever has the product, a sentence for everybody else. Whoever may edit the page
 * sees it as well. Feeds have the sentence alone: they are kept elsewhere.
 *
 * @param array|string $attributes `product`: one slug, or several with commas. `text`: what to say
 *                                 in place of the usual sentence.
 * @param string|null  $content    What is between the tags.
 */
function shortcode( $attributes, ?string $content = null ): string {
	dont_cache();
	$given    = shortcode_atts(
		array(
			'product' => '',
			'text'    => '',
		),
		is_array( $attributes ) ? $attributes : array(),
		TAG
	);
	$products = array_values( array_filter( array_map( 'trim', explode( ',', $given['product'] ) ), 'strlen' ) );
	$editor   = current_user_can( 'edit_post', (int) get_the_ID() );
	if ( ! $products ) {
		return $editor ? '<p class="latchkey-closed">' . esc_html__( 'This part names no product, so nobody sees it.', 'latchkey' ) . '</p>' : '';
	}
	$answer = Access\answer( $products );
	if ( ! is_feed() && ( $editor || Access\OPEN === $answer ) ) {
		return do_shortcode( (string) $content );
	}
	// Within a sentence it is a part of it, and a paragraph otherwise.
	$element = preg_match( '/<(p|div|h[1-6]|ul|ol|figure|table|blockquote|pre)\b/i', (string) $content ) ? 'p' : 'span';
	return sprintf( '<%1$s class="latchkey-closed">%2$s</%1$s>', $element, closed( $answer, $products[0], (string) $given['text'] ) );
}

/**
 * What stands in place of the content.
 *
 * @param string $answer  Why.
 * @param string $product What can be bought.
 * @param string $text    What to say instead of the usual sentence.
 */
function closed( string $answer, string $product, string $text ): string {
	if ( Access\UNKNOWN === $answer ) {
		return esc_html__( 'We can’t check at the moment whether you have access to this part. Please try again in a few minutes.', 'latchkey' );
	}
	$here  = (string) ( get_permalink() ? get_permalink() : home_url( '/' ) );
	$says  = esc_html( '' === $text ? __( 'This part is for members.', 'latchkey' ) : $text );
	$links = array();
	if ( Access\SIGN_IN === $answer ) {
		$links[] = sprintf( '<a class="latchkey-sign-in" rel="nofollow" href="%s">%s</a>', esc_url( Sign_In\address( $here ) ), esc_html__( 'Sign in', 'latchkey' ) );
	}
	$links[] = sprintf( '<a class="latchkey-buy" rel="nofollow" href="%s">%s</a>', esc_url( Sign_In\address( $here, $product ) ), esc_html__( 'Get access', 'latchkey' ) );
	return $says . ' ' . implode( ' · ', $links );
}

/**
 * From where on a text isn't safe to show: its tags should be in pairs, side by side. Null if they
 * are. WordPress would show what stands outside of pairs to everybody.
 *
 * @param string $text The text.
 */
function unpaired_at( string $text ): ?int {
	preg_match_all( '/(?<!\[)\[latchkey(?=[\s\]\/])[^\]]*\]?|\[\/latchkey\](?!\])/', $text, $found, PREG_OFFSET_CAPTURE );
	$open = null;
	foreach ( $found[0] as list( $tag, $offset ) ) {
		if ( '[/latchkey]' === $tag ) {
			if ( null === $open ) {
				return 0;
			}
			$open = null;
		} elseif ( null !== $open ) {
			return $open;
		} elseif ( str_ends_with( $tag, '/]' ) ) {
			// WordPress takes it as a pair of its own, with nothing in it.
			return $offset;
		} else {
			$open = $offset;
		}
	}
	return $open;
}

/**
 * A text up to the first tag that isn't in a pair, without what WordPress would show to everybody.
 *
 * @param string $text The text.
 */
function cut_unpaired( string $text ): string {
	$offset = has_tag( $text ) ? unpaired_at( $text ) : null;
	if ( null === $offset ) {
		return $text;
	}
	$note = current_user_can( 'edit_post', (int) get_the_ID() )
		? '<p class="latchkey-closed">' . esc_html__( 'From here on, nothing is shown to anybody: the [latchkey] tags aren’t in pairs, side by side.', 'latchkey' ) . '</p>'
		: '';
	// The note names the tag, which isn't meant as one.
	return substr( $text, 0, $offset ) . str_replace( '[', '&#91;', $note );
}

/**
 * Have no page break stand between two tags: the pages after it would have no opening one.
 *
 * @param string[] $pages The parts of a post.
 */
function keep_together( array $pages ): array {
	foreach ( $pages as $page ) {
		if ( has_tag( $page ) && null !== unpaired_at( $page ) ) {
			return array( implode( "\n", $pages ) );
		}
	}
	return $pages;
}

/**
 * The excerpt of a post with our tags, if none was written. WordPress's own is made of what comes
 * before a `<!--more-->`, where a tag may have lost its closing one.
 *
 * @param string       $excerpt What was written as excerpt.
 * @param WP_Post|null $post    The post.
 */
function excerpt( $excerpt, $post = null ): string {
	$post = get_post( $post );
	if ( '' !== trim( (string) $excerpt ) || ! $post || ! has_tag( $post->post_content ) ) {
		return (string) $excerpt;
	}
	$text   = (string) preg_replace( PAIR, '', substr( $post->post_content, 0, unpaired_at( $post->post_content ) ) );
	$length = (int) apply_filters( 'excerpt_length', 55 ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's.
	$more   = (string) apply_filters( 'excerpt_more', ' […]' ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's.
	$words  = wp_trim_words( excerpt_remove_blocks( strip_shortcodes( $text ) ), $length, $more );
	// WordPress would make its own if this were empty.
	return '' === $words ? '…' : $words;
}

/**
 * Have the search look at no more than the title and the excerpt of posts with our tags: whoever finds
 * a post by a word learns that the word is in it.
 *
 * @param string   $sql   A part of the search's SQL.
 * @param WP_Query $query The search.
 */
function search( $sql, $query ): string {
	global $wpdb;
	if ( ! $query->is_search() || current_user_can( 'edit_others_posts' ) ) {
		return (string) $sql;
	}
	$column = "{$wpdb->posts}.post_content";
	// These are '[latchkey' and '[/latchkey]'.
	$tags = "LOCATE(0x5b6c617463686b6579, {$column}) + LOCATE(0x5b2f6c617463686b65795d, {$column})";
	$open = "IF({$tags} > 0, {$wpdb->posts}.post_title, {$column})";
	return (string) preg_replace( '/' . preg_quote( $column, '/' ) . '(?= (NOT )?LIKE )/', $open, (string) $sql );
}

/**
 * Have no cache keep what was made for one visitor.
 */
function dont_cache(): void {
	if ( ! defined( 'DONOTCACHEPAGE' ) ) {
		define( 'DONOTCACHEPAGE', true ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- What caches look for.
	}
	if ( ! headers_sent() ) {
		nocache_headers();
		header( 'Cache-Control: no-cache, must-revalidate, max-age=0, no-store, private' );
	}
}

/**
 * The same before anything is sent, if a post of the page has our tags.
 */
function stay_uncached(): void {
	global $wp_query;
	foreach ( (array) $wp_query->posts as $post ) {
		if ( $post instanceof WP_Post && has_tag( $post->post_content ) ) {
			dont_cache();
			return;
		}
	}
}
