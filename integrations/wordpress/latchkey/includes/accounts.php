<?php
/**
 * The accounts of people who sign in with Latchkey, and their roles.
 *
 * An account belongs to one user of one issuer: `latchkey_subject` is `<issuer> <sub>`. An email
 * address alone never makes somebody the owner of an account.
 *
 * @package Latchkey
 */

namespace Latchkey\Accounts;

use Latchkey\Settings;
use WP_Error;
use WP_User;

defined( 'ABSPATH' ) || exit;

const SUBJECT = 'latchkey_subject';
const MADE    = 'latchkey_made';
const ROLES   = 'latchkey_roles';

/**
 * Whoever has one of these could change the site for everybody. They never sign in with Latchkey, and
 * no product gives them.
 */
const POWERS = array(
	'manage_options',
	'create_users',
	'edit_users',
	'promote_users',
	'delete_users',
	'install_plugins',
	'activate_plugins',
	'edit_plugins',
	'install_themes',
	'switch_themes',
	'edit_theme_options',
	'edit_themes',
	'edit_files',
	'unfiltered_html',
	'unfiltered_upload',
	'edit_others_posts',
	'edit_others_pages',
	'manage_categories',
	'moderate_comments',
	'import',
	'export',
	'manage_network',
	'manage_woocommerce',
);

/**
 * Whoever has one of these, too, has written or managed something: their account isn't connected.
 */
const STAFF = array( 'edit_posts', 'edit_pages', 'publish_posts', 'upload_files', 'list_users' );

/**
 * Whether a product may give a role.
 *
 * @param string $role The role's name.
 */
function may_be_given( string $role ): bool {
	$found = get_role( $role );
	return null !== $found && ! array_intersect( POWERS, array_keys( array_filter( $found->capabilities ) ) );
}

/**
 * Whether an account could change the site for everybody.
 *
 * @param WP_User $user The account.
 */
function is_powerful( WP_User $user ): bool {
	return is_super_admin( $user->ID ) || (bool) array_intersect( POWERS, array_keys( array_filter( $user->allcaps ) ) );
}

/**
 * Whether somebody with the same address may be given an account.
 *
 * @param WP_User $user The account.
 */
function may_be_connected( WP_User $user ): bool {
	return ! is_powerful( $user )
		&& ! array_intersect( STAFF, array_keys( array_filter( $user->allcaps ) ) )
		&& '' === (string) get_user_meta( $user->ID, SUBJECT, true );
}

/**
 * The account of somebody who has signed in; null if they have none yet.
 *
 * @param string $subject Who they are there.
 */
function find( string $subject ): ?WP_User {
	$bound = Settings\issuer() . ' ' . $subject;
	$found = get_users(
		array(
			'meta_key'   => SUBJECT, // phpcs:ignore WordPress.DB.SlowDBQuery -- The key is indexed.
			'meta_value' => $bound, // phpcs:ignore WordPress.DB.SlowDBQuery
			'orderby'    => 'ID',
			'number'     => 5,
		)
	);
	foreach ( $found as $user ) {
		if ( get_user_meta( $user->ID, SUBJECT, true ) === $bound ) {
			return $user;
		}
	}
	return null;
}

/**
 * Who somebody is at the issuer of today; null if the account isn't bound to it.
 *
 * @param int $user_id The account.
 */
function subject_of( int $user_id ): ?string {
	$bound  = (string) get_user_meta( $user_id, SUBJECT, true );
	$issuer = Settings\issuer() . ' ';
	return str_starts_with( $bound, $issuer ) ? substr( $bound, strlen( $issuer ) ) : null;
}

/**
 * The account of somebody who has just signed in, made or connected if need be.
 *
 * @param array $claims The claims of their ID token.
 * @return WP_User|WP_Error An error whose code is a sentence of `Login_Form\sentences`.
 */
function of_claims( array $claims ) {
	global $wpdb;
	$lock = 'latchkey_' . md5( $claims['sub'] );
	// Two first sign-ins at once would make two accounts.
	$wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 10)', $lock ) ); // phpcs:ignore WordPress.DB
	$user = find( $claims['sub'] ) ?? add( $claims );
	$wpdb->get_var( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $lock ) ); // phpcs:ignore WordPress.DB
	if ( is_wp_error( $user ) ) {
		return $user;
	}
	if ( is_powerful( $user ) ) {
		return new WP_Error( 'administrator' );
	}
	follow( $user, $claims );
	return $user;
}

/**
 * The address that Latchkey has verified; empty if there is none.
 *
 * @param array $claims The claims of an ID token.
 */
function verified_email( array $claims ): string {
	$email = $claims['email'] ?? '';
	return true === ( $claims['email_verified'] ?? false ) && is_string( $email ) && is_email( $email ) ? $email : '';
}

/**
 * Make an account, or connect the one with the same address if that is allowed.
 *
 * @param array $claims The claims of an ID token.
 * @return WP_User|WP_Error
 */
function add( array $claims ) {
	$email = verified_email( $claims );
	$known = '' === $email ? false : get_user_by( 'email', $email );
	if ( $known ) {
		if ( ! Settings\all()['link_accounts'] || ! may_be_connected( $known ) ) {
			return new WP_Error( 'taken' );
		}
		update_user_meta( $known->ID, SUBJECT, Settings\issuer() . ' ' . $claims['sub'] );
		return $known;
	}
	$name  = is_string( $claims['name'] ?? null ) ? sanitize_text_field( $claims['name'] ) : '';
	$login = 'member-' . sanitize_user( $claims['sub'], true );
	$login = username_exists( $login ) ? $login . '-' . wp_generate_password( 8, false ) : $login;
	$role  = (string) get_option( 'default_role' );
	$made  = wp_insert_user(
		array(
			'user_login'   => $login,
			'user_pass'    => wp_generate_password( 64 ),
			'user_email'   => $email,
			'display_name' => '' === $name ? __( 'Member', 'latchkey' ) : $name,
			'nickname'     => '' === $name ? __( 'Member', 'latchkey' ) : $name,
			'role'         => may_be_given( $role ) ? $role : 'subscriber',
			'meta_input'   => array(
				SUBJECT => Settings\issuer() . ' ' . $claims['sub'],
				MADE    => '1',
			),
		)
	);
	return is_wp_error( $made ) ? new WP_Error( 'refused' ) : get_userdata( $made );
}

/**
 * Have an account that was made here follow the address that its owner has at Latchkey.
 *
 * @param WP_User $user   The account.
 * @param array   $claims The claims of an ID token.
 */
function follow( WP_User $user, array $claims ): void {
	$email = verified_email( $claims );
	if ( '' === $email || $email === $user->user_email || get_user_by( 'email', $email ) || '1' !== get_user_meta( $user->ID, MADE, true ) ) {
		return;
	}
	add_filter( 'send_email_change_email', '__return_false' );
	wp_update_user(
		array(
			'ID'         => $user->ID,
			'user_email' => $email,
		)
	);
	remove_filter( 'send_email_change_email', '__return_false' );
}

/**
 * Give somebody the roles of what they have, and take those that were given for what they no longer
 * have. Roles that others gave stay.
 *
 * @param int      $user_id  The account.
 * @param string[] $products The slugs of what they have.
 */
function give_roles( int $user_id, array $products ): void {
	$user  = get_userdata( $user_id );
	$given = array_filter( (array) get_user_meta( $user_id, ROLES, true ) );
	if ( ! $user || is_powerful( $user ) ) {
		return;
	}
	$due = array();
	foreach ( Settings\roles() as $row ) {
		if ( in_array( $row['product'], $products, true ) && may_be_given( $row['role'] ) ) {
			$due[] = $row['role'];
		}
	}
	$due   = array_unique( $due );
	$added = array_diff( $due, $user->roles );
	$gone  = array_diff( $given, $due );
	foreach ( $added as $role ) {
		$user->add_role( $role );
	}
	foreach ( $gone as $role ) {
		$user->remove_role( $role );
	}
	$kept = array_values( array_unique( array_merge( array_intersect( $given, $due ), $added ) ) );
	if ( array_values( $given ) !== $kept ) {
		update_user_meta( $user_id, ROLES, $kept );
	}
}
