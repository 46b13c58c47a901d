<?php
/**
 * Calls to Latchkey, the OpenID provider.
 *
 * @package Latchkey
 */

namespace Latchkey\Provider;

use Latchkey\Settings;
use WP_Error;

defined( 'ABSPATH' ) || exit;

const TIMEOUT  = 5;
const METADATA = 'latchkey_metadata';

/**
 * Whether an address is safe for secrets: https, or this very machine, for trying things out.
 *
 * @param mixed $address What should be an address.
 */
function is_safe_address( $address ): bool {
	if ( ! is_string( $address ) ) {
		return false;
	}
	$parts = wp_parse_url( $address );
	if ( ! is_array( $parts ) || empty( $parts['host'] ) || isset( $parts['user'] ) ) {
		return false;
	}
	$scheme = $parts['scheme'] ?? '';
	$local  = in_array( $parts['host'], array( '127.0.0.1', '[::1]', 'localhost' ), true );
	return 'https' === $scheme || ( 'http' === $scheme && $local );
}

/**
 * What the provider says about itself. It is kept for a day.
 *
 * @param bool $again Read it again, even if it is known.
 * @return array|WP_Error
 */
function metadata( bool $again = false ) {
	$issuer = Settings\issuer();
	if ( ! is_safe_address( $issuer ) ) {
		return new WP_Error( 'latchkey_settings', __( 'The issuer has to be an address that starts with https://.', 'latchkey' ) );
	}
	$known = $again ? false : get_transient( METADATA );
	if ( is_array( $known ) && ( $known['issuer'] ?? null ) === $issuer ) {
		return $known;
	}
	$found = read(
		wp_remote_get(
			$issuer . '/.well-known/openid-configuration',
			array(
				'timeout'     => TIMEOUT,
				'redirection' => 0,
			)
		)
	);
	if ( is_wp_error( $found ) ) {
		return $found;
	}
	if ( ( $found['issuer'] ?? null ) !== $issuer ) {
		return new WP_Error( 'latchkey_settings', __( 'The provider at that address says that it is another issuer.', 'latchkey' ) );
	}
	foreach ( array( 'authorization', 'token', 'introspection', 'revocation', 'end_session' ) as $name ) {
		if ( ! is_safe_address( $found[ $name . '_endpoint' ] ?? null ) ) {
			return new WP_Error( 'latchkey_settings', __( 'The provider at that address lacks something that this plugin needs.', 'latchkey' ) );
		}
	}
	set_transient( METADATA, $found, DAY_IN_SECONDS );
	return $found;
}

/**
 * Tokens for a code, which is used up.
 *
 * @param string $code     The code.
 * @param string $verifier What its challenge was made of.
 * @return array|WP_Error
 */
function exchange( string $code, string $verifier ) {
	return call(
		'token',
		array(
			'grant_type'    => 'authorization_code',
			'code'          => $code,
			'redirect_uri'  => Settings\redirect_uri(),
			'code_verifier' => $verifier,
		)
	);
}

/**
 * What a token stands for at this second: above all, what its user may open.
 *
 * @param string $token A refresh token. It isn't used up.
 * @return array|WP_Error
 */
function introspect( string $token ) {
	return call(
		'introspection',
		array(
			'token'           => $token,
			'token_type_hint' => 'refresh_token',
		)
	);
}

/**
 * End a token, and whatever came of its code.
 *
 * @param string $token A refresh token.
 * @return array|WP_Error
 */
function revoke( string $token ) {
	return call( 'revocation', array( 'token' => $token ) );
}

/**
 * Call an endpoint as the client.
 *
 * @param string $endpoint The endpoint's name.
 * @param array  $fields   What to post.
 * @return array|WP_Error
 */
function call( string $endpoint, array $fields ) {
	$metadata = metadata();
	if ( is_wp_error( $metadata ) ) {
		return $metadata;
	}
	$client = rawurlencode( Settings\client_id() ) . ':' . rawurlencode( Settings\client_secret() );
	return read(
		wp_remote_post(
			$metadata[ $endpoint . '_endpoint' ],
			array(
				'timeout'     => TIMEOUT,
				'redirection' => 0,
				'headers'     => array(
					// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions -- HTTP Basic is base64.
					'Authorization' => 'Basic ' . base64_encode( $client ),
				),
				'body'        => $fields,
			)
		)
	);
}

/**
 * The JSON object of an answer. The error's code is `latchkey_away` if there is no sensible answer,
 * and `latchkey_refused` if the provider says no, with its own code as data.
 *
 * @param array|WP_Error $answer The answer to a call.
 * @return array|WP_Error
 */
function read( $answer ) {
	if ( is_wp_error( $answer ) ) {
		return new WP_Error( 'latchkey_away', $answer->get_error_message() );
	}
	$status = (int) wp_remote_retrieve_response_code( $answer );
	$body   = json_decode( wp_remote_retrieve_body( $answer ), true );
	if ( 200 === $status && is_array( $body ) ) {
		return $body;
	}
	if ( 400 <= $status && 429 !== $status && 500 > $status && is_array( $body ) && isset( $body['error'] ) ) {
		return new WP_Error( 'latchkey_refused', (string) ( $body['error_description'] ?? '' ), (string) $body['error'] );
	}
	/* translators: %d: the status of an HTTP response, such as 503 */
	return new WP_Error( 'latchkey_away', sprintf( __( 'It answered with status %d.', 'latchkey' ), $status ) );
}
