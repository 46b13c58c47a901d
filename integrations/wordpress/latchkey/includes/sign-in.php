<?php
/**
 * Signing in: OpenID Connect's code flow with PKCE.
 *
 * What belongs to a sign-in that has begun is in a cookie of the browser that began it, and nowhere
 * else: a state alone is worth nothing in another browser, and nobody can fill the database.
 *
 * @package Latchkey
 */

namespace Latchkey\Sign_In;

use Latchkey\Access;
use Latchkey\Accounts;
use Latchkey\ID_Token;
use Latchkey\Provider;
use Latchkey\Settings;
use WP_Session_Tokens;

defined( 'ABSPATH' ) || exit;

const SCOPES = 'openid profile email access offline_access';

/** Buying on the way may take a while. */
const LIFE = DAY_IN_SECONDS;

/** How many sign-ins a browser may have begun at once. */
const MOST = 4;

/**
 * Hook into WordPress.
 */
function hooks(): void {
	add_action( 'login_form_latchkey', __NAMESPACE__ . '\\begin' );
	add_action( 'login_form_latchkey-callback', __NAMESPACE__ . '\\finish' );
	add_shortcode( 'latchkey_sign_in', __NAMESPACE__ . '\\shortcode' );
}

/**
 * The address that a link to sign in, or to buy, leads to.
 *
 * @param string $back    Where to go on afterwards.
 * @param string $product The slug of what is bought on the way by whoever doesn't have it.
 */
function address( string $back, string $product = '' ): string {
	$query = array_filter(
		array(
			'action'      => 'latchkey',
			'product'     => rawurlencode( $product ),
			'redirect_to' => rawurlencode( $back ),
		)
	);
	return add_query_arg( $query, site_url( 'wp-login.php', 'login' ) );
}

/**
 * `[latchkey_sign_in]`: a link to sign in, or to sign out.
 */
function shortcode(): string {
	$here = (string) ( get_permalink() ? get_permalink() : home_url( '/' ) );
	if ( is_user_logged_in() ) {
		return sprintf( '<a class="latchkey-sign-out" href="%s">%s</a>', esc_url( wp_logout_url( $here ) ), esc_html__( 'Sign out', 'latchkey' ) );
	}
	return sprintf( '<a class="latchkey-sign-in" rel="nofollow" href="%s">%s</a>', esc_url( address( $here ) ), esc_html( Settings\label() ) );
}

/**
 * A parameter of the address, empty if there is none. Its state stands in for a nonce.
 *
 * @param string $name The parameter.
 */
function parameter( string $name ): string {
	// phpcs:ignore WordPress.Security.NonceVerification, WordPress.Security.ValidatedSanitizedInput -- Compared or checked where it is used.
	$given = $_GET[ $name ] ?? '';
	return is_string( $given ) ? wp_unslash( $given ) : '';
}

/**
 * An address of this site to go on at: the one that was asked for, or the front page.
 *
 * @param string $address What was asked for.
 */
function safe_back( string $address ): string {
	return '' === $address ? home_url( '/' ) : wp_validate_redirect( $address, home_url( '/' ) );
}

/**
 * The cookie of a sign-in that has begun.
 *
 * @param string $state The sign-in's state.
 */
function cookie_name( string $state ): string {
	// The prefix has browsers refuse a cookie that another host of the domain has set.
	return ( is_ssl() ? '__Host-' : '' ) . 'wordpress_latchkey_' . substr( hash( 'sha256', $state ), 0, 16 );
}

/**
 * Set a cookie of a sign-in, or remove it.
 *
 * @param string $name  The cookie.
 * @param string $value What is in it; empty to remove it.
 */
function set_cookie( string $name, string $value ): void {
	setcookie(
		$name,
		$value,
		array(
			'expires'  => '' === $value ? 1 : time() + LIFE,
			'path'     => '/',
			'secure'   => is_ssl(),
			'httponly' => true,
			'samesite' => 'Lax',
		)
	);
}

/**
 * Begin: lead to Latchkey.
 */
function begin(): void {
	nocache_headers();
	$metadata = Provider\metadata();
	if ( is_wp_error( $metadata ) ) {
		fail( 'away' );
	}
	$flow = array(
		'state'    => bin2hex( random_bytes( 32 ) ),
		'nonce'    => bin2hex( random_bytes( 32 ) ),
		'verifier' => bin2hex( random_bytes( 32 ) ),
		'issuer'   => Settings\issuer(),
		'back'     => safe_back( sanitize_url( parameter( 'redirect_to' ) ) ),
	);
	$begun = preg_grep( '/^(__Host-)?wordpress_latchkey_/', array_keys( $_COOKIE ) );
	if ( count( $begun ) >= MOST ) {
		foreach ( $begun as $name ) {
			set_cookie( $name, '' );
		}
	}
	set_cookie( cookie_name( $flow['state'] ), (string) wp_json_encode( $flow ) );
	$challenge = hash( 'sha256', $flow['verifier'], true );
	$query     = array(
		'response_type'         => 'code',
		'client_id'             => Settings\client_id(),
		'redirect_uri'          => Settings\redirect_uri(),
		'scope'                 => SCOPES,
		'state'                 => $flow['state'],
		'nonce'                 => $flow['nonce'],
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions -- PKCE is base64url.
		'code_challenge'        => rtrim( strtr( base64_encode( $challenge ), '+/', '-_' ), '=' ),
		'code_challenge_method' => 'S256',
		'product'               => parameter( 'product' ),
	);
	$query = array_filter( $query, static fn( $value ) => '' !== $value );
	// phpcs:ignore WordPress.Security.SafeRedirect -- To the provider that an administrator named.
	wp_redirect( add_query_arg( array_map( 'rawurlencode', $query ), $metadata['authorization_endpoint'] ), 303 );
	exit;
}

/**
 * Say on the sign-in page what went wrong.
 *
 * @param string $code One of `Login_Form\sentences`.
 * @return never
 */
function fail( string $code ): void {
	wp_safe_redirect( add_query_arg( 'latchkey', $code, wp_login_url() ), 303 );
	exit;
}

/**
 * The sign-in that this browser has begun with the state that came back; null if it has begun none.
 * It is used up.
 *
 * @param string $state What came back.
 */
function take_flow( string $state ): ?array {
	$name = cookie_name( $state );
	// phpcs:ignore WordPress.Security.ValidatedSanitizedInput -- JSON of our own, whose parts are checked.
	$kept = isset( $_COOKIE[ $name ] ) ? json_decode( wp_unslash( $_COOKIE[ $name ] ), true ) : null;
	if ( ! is_array( $kept ) ) {
		return null;
	}
	set_cookie( $name, '' );
	foreach ( array( 'state', 'nonce', 'verifier', 'issuer', 'back' ) as $part ) {
		if ( ! is_string( $kept[ $part ] ?? null ) ) {
			return null;
		}
	}
	return hash_equals( $kept['state'], $state ) && Settings\issuer() === $kept['issuer'] ? $kept : null;
}

/**
 * Finish: what Latchkey answered through the browser.
 */
function finish(): void {
	nocache_headers();
	$flow = take_flow( parameter( 'state' ) );
	if ( null === $flow ) {
		fail( 'stale' );
	}
	$metadata = Provider\metadata();
	if ( is_wp_error( $metadata ) ) {
		fail( 'away' );
	}
	$names_itself = ! empty( $metadata['authorization_response_iss_parameter_supported'] );
	if ( ( $names_itself || '' !== parameter( 'iss' ) ) && parameter( 'iss' ) !== Settings\issuer() ) {
		fail( 'invalid' );
	}
	if ( '' !== parameter( 'error' ) || '' === parameter( 'code' ) ) {
		fail( 'access_denied' === parameter( 'error' ) ? 'denied' : 'refused' );
	}
	$tokens = Provider\exchange( parameter( 'code' ), $flow['verifier'] );
	if ( is_wp_error( $tokens ) ) {
		fail( match ( true ) {
			'latchkey_refused' !== $tokens->get_error_code() => 'away',
			'invalid_grant' === $tokens->get_error_data() => 'stale',
			default => 'refused',
		} );
	}
	if ( ! is_string( $tokens['refresh_token'] ?? null ) ) {
		fail( 'refused' );
	}
	$claims = ID_Token\claims( $tokens['id_token'] ?? null ) ?? array();
	if ( null !== ID_Token\wrong_claim( $claims, Settings\issuer(), Settings\client_id(), $flow['nonce'], time() ) ) {
		fail( 'invalid' );
	}
	$user = Accounts\of_claims( $claims );
	if ( is_wp_error( $user ) ) {
		Provider\revoke( $tokens['refresh_token'] );
		fail( (string) $user->get_error_code() );
	}
	start_session( $user, $claims, $tokens );
	wp_safe_redirect( safe_back( $flow['back'] ), 303 );
	exit;
}

/**
 * Sign somebody in, in place of whoever was.
 *
 * @param \WP_User $user   The account.
 * @param array    $claims The claims of the ID token.
 * @param array    $tokens The tokens.
 */
function start_session( \WP_User $user, array $claims, array $tokens ): void {
	$before = get_current_user_id();
	if ( 0 !== $before ) {
		WP_Session_Tokens::get_instance( $before )->destroy( wp_get_session_token() );
	}
	$keep = static function ( array $session ) use ( $claims, $tokens ): array {
		$session[ Access\SESSION ] = array(
			'issuer'        => Settings\issuer(),
			'sid'           => (string) ( $claims['sid'] ?? '' ),
			'id_token'      => $tokens['id_token'],
			'refresh_token' => $tokens['refresh_token'],
		);
		return $session;
	};
	add_filter( 'attach_session_information', $keep );
	wp_set_auth_cookie( $user->ID, false, is_ssl() );
	remove_filter( 'attach_session_information', $keep );
	wp_set_current_user( $user->ID );
	Access\learn( $user->ID, $claims );
	do_action( 'wp_login', $user->user_login, $user );
}
