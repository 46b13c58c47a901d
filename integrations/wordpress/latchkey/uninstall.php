<?php
/**
 * Removes what the plugin has stored, and takes the roles that it gave. Accounts stay.
 *
 * @package Latchkey
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

( static function () {
	$with_roles = get_users(
		array(
			'meta_key' => 'latchkey_roles', // phpcs:ignore WordPress.DB.SlowDBQuery -- The key is indexed.
		)
	);
	foreach ( $with_roles as $user ) {
		foreach ( (array) get_user_meta( $user->ID, 'latchkey_roles', true ) as $role ) {
			$user->remove_role( (string) $role );
		}
	}
	foreach ( array( 'latchkey_subject', 'latchkey_made', 'latchkey_roles', 'latchkey_access' ) as $key ) {
		delete_metadata( 'user', 0, $key, '', true );
	}
	$signed_in = get_users(
		array(
			'meta_key'     => 'session_tokens', // phpcs:ignore WordPress.DB.SlowDBQuery -- The key is indexed.
			'meta_value'   => '"refresh_token"', // phpcs:ignore WordPress.DB.SlowDBQuery
			'meta_compare' => 'LIKE',
			'fields'       => 'ID',
		)
	);
	foreach ( $signed_in as $user_id ) {
		$sessions = array_filter(
			(array) get_user_meta( (int) $user_id, 'session_tokens', true ),
			static fn( $session ) => ! isset( $session['latchkey'] )
		);
		update_user_meta( (int) $user_id, 'session_tokens', $sessions );
	}
	delete_option( 'latchkey' );
	delete_transient( 'latchkey_metadata' );
	delete_transient( 'latchkey_away' );
	wp_clear_scheduled_hook( 'latchkey_take_roles' );
} )();
