<?php
/**
 * Signing out, from either side.
 *
 * @package Latchkey
 */

namespace Latchkey\Sign_Out;

use Latchkey\Access;
use Latchkey\Accounts;
use Latchkey\ID_Token;
use Latchkey\Provider;
use Latchkey\Settings;
use WP_REST_Request;
use WP_REST_Response;

defined( 'ABSPATH' ) || exit;

/**
 * Hook into WordPress.
 */
function hooks(): void {
	add_action( 'login_form_logout', __NAMESPACE__ . '\\lead_on' );
	add_action( 'rest_api_init', __NAMESPACE__ . '\\register' );
}

/**
 * Sign whoever signs out here out of Latchkey as well: on a shared computer, the next person would
 * be them again with a click.
 */
function lead_on(): void {
	$session  = Access\session( get_current_user_id() );
	$metadata = null === $session ? null : Provider\metadata();
	if ( null === $session || is_wp_error( $metadata ) ) {
		return;
	}
	$address = add_query_arg(
		array(
			'id_token_hint'            => rawurlencode( $session['id_token'] ),
			'post_logout_redirect_uri' => rawurlencode( home_url( '/' ) ),
		),
		$metadata['end_session_endpoint']
	);
	add_filter( 'logout_redirect', static fn() => $address );
	add_filter(
		'allowed_redirect_hosts',
		static fn( array $hosts ) => array_merge( $hosts, array( wp_parse_url( $address, PHP_URL_HOST ) ) )
	);
}

/**
 * Register the address at which Latchkey says that a session has ended.
 */
function register(): void {
	register_rest_route(
		'latchkey/v1',
		'/logout',
		array(
			'methods'             => 'POST',
			'callback'            => __NAMESPACE__ . '\\told',
			'permission_callback' => '__return_true',
		)
	);
}

/**
 * A logout token (OpenID Connect Back-Channel Logout) says which session to look at. Anybody can
 * write one, so it isn't believed: Latchkey is asked whether that session has ended.
 *
 * @param WP_REST_Request $request With the form field `logout_token`.
 */
function told( WP_REST_Request $request ): WP_REST_Response {
	$claims  = ID_Token\claims( $request->get_param( 'logout_token' ) );
	$sid     = $claims['sid'] ?? null;
	$subject = $claims['sub'] ?? null;
	if ( ! is_string( $sid ) || '' === $sid || ! is_string( $subject ) || ( $claims['iss'] ?? null ) !== Settings\issuer() ) {
		return new WP_REST_Response( array( 'error' => 'invalid_request' ), 400 );
	}
	$user  = Accounts\find( $subject );
	$ended = null === $user || end_session( $user->ID, $sid );
	$said  = new WP_REST_Response( $ended ? null : array( 'error' => 'temporarily_unavailable' ), $ended ? 200 : 503 );
	$said->header( 'Cache-Control', 'no-store' );
	return $said;
}

/**
 * End a session if it has ended at Latchkey. False if that isn't known.
 *
 * @param int    $user_id The account.
 * @param string $sid     The session's name at Latchkey.
 */
function end_session( int $user_id, string $sid ): bool {
	$sessions = get_user_meta( $user_id, 'session_tokens', true );
	$known    = true;
	foreach ( is_array( $sessions ) ? $sessions : array() as $verifier => $session ) {
		$kept = $session[ Access\SESSION ] ?? null;
		if ( ! is_array( $kept ) || ! hash_equals( (string) $kept['sid'], $sid ) ) {
			continue;
		}
		$answer = Provider\introspect( (string) $kept['refresh_token'] );
		if ( is_wp_error( $answer ) ) {
			$known = false;
		} elseif ( true !== ( $answer['active'] ?? null ) ) {
			unset( $sessions[ $verifier ] );
			update_user_meta( $user_id, 'session_tokens', $sessions );
		}
	}
	return $known;
}
