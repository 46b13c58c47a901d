<?php
/**
 * ID tokens.
 *
 * They come straight from the token endpoint, by a connection whose certificate was checked, to a
 * client that has proven who it is. There, OpenID Connect Core (3.1.3.7, point 6) has TLS stand in
 * for the signature. A token that came through the browser would need its signature checked: none
 * is ever taken from there.
 *
 * @package Latchkey
 */

namespace Latchkey\ID_Token;

defined( 'ABSPATH' ) || exit;

const LEEWAY = 60;

/**
 * The claims of an ID token, or null if it isn't one.
 *
 * @param mixed $token What should be the token.
 */
function claims( $token ): ?array {
	$parts = is_string( $token ) ? explode( '.', $token ) : array();
	if ( 3 !== count( $parts ) ) {
		return null;
	}
	// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions -- The parts of a JWT are base64url.
	$payload = base64_decode( strtr( $parts[1], '-_', '+/' ), true );
	$claims  = false === $payload ? null : json_decode( $payload, true );
	return is_array( $claims ) ? $claims : null;
}

/**
 * Which claim of an ID token isn't as it has to be; null if all are.
 *
 * @param array  $claims    The claims.
 * @param string $issuer    Whose token it has to be.
 * @param string $client_id For whom it has to be.
 * @param string $nonce     What was sent with the request.
 * @param int    $now       The time, in seconds.
 */
function wrong_claim( array $claims, string $issuer, string $client_id, string $nonce, int $now ): ?string {
	$audience = (array) ( $claims['aud'] ?? array() );
	$subject  = $claims['sub'] ?? null;
	$party    = $claims['azp'] ?? null;
	$given    = $claims['nonce'] ?? null;
	return match ( true ) {
		( $claims['iss'] ?? null ) !== $issuer => 'iss',
		! is_string( $subject ) || '' === $subject || 255 < strlen( $subject ) => 'sub',
		array( $client_id ) !== array_values( $audience ) => 'aud',
		null !== $party && $party !== $client_id => 'azp',
		! is_int( $claims['exp'] ?? null ) || $claims['exp'] + LEEWAY <= $now => 'exp',
		! is_int( $claims['iat'] ?? null ) || $claims['iat'] - LEEWAY > $now => 'iat',
		! is_string( $given ) || ! hash_equals( $nonce, $given ) => 'nonce',
		default => null,
	};
}
