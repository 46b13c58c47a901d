<?php
/**
 * What somebody may open now.
 *
 * Each session that began with Latchkey keeps its refresh token, and asks Latchkey at most once a
 * minute what it stands for; the token isn't used up by that. What it learns is kept with the
 * account: each product with the second at which access ends. That second counts whether anybody
 * asks or not. If Latchkey can't be reached, what was learned is believed for a day, and no longer
 * than to that second.
 *
 * @package Latchkey
 */

namespace Latchkey\Access;

use DateTimeImmutable;
use Latchkey\Accounts;
use Latchkey\Provider;
use Latchkey\Settings;
use WP_Session_Tokens;

defined( 'ABSPATH' ) || exit;

const RECORD  = 'latchkey_access';
const SESSION = 'latchkey';
const AWAY    = 'latchkey_away';
const CRON    = 'latchkey_take_roles';

/** How long an answer is as good as a new one, how long it is believed without one, and how long
 * nobody asks again after there was none. In seconds. */
const FRESH    = 60;
const BELIEVED = DAY_IN_SECONDS;
const PAUSE    = 20;

/** What comes of asking whether somebody may open something. */
const OPEN    = 'open';
const SIGN_IN = 'sign_in';
const LACKS   = 'lacks';
const UNKNOWN = 'unknown';

/**
 * Hook into WordPress.
 */
function hooks(): void {
	add_action( 'init', __NAMESPACE__ . '\\keep_up', 1 );
	add_action( CRON, __NAMESPACE__ . '\\take_roles' );
}

/**
 * Have roles be taken from those who don't come back.
 */
function schedule(): void {
	if ( ! wp_next_scheduled( CRON ) ) {
		wp_schedule_event( time(), 'hourly', CRON );
	}
}

/**
 * The opposite.
 */
function unschedule(): void {
	wp_clear_scheduled_hook( CRON );
}

/**
 * The second at which something ends, null for never. What can't be read has ended.
 *
 * @param mixed $until An ISO 8601 time, or null.
 */
function end_of( $until ): ?float {
	if ( null === $until ) {
		return null;
	}
	try {
		return is_string( $until ) ? (float) ( new DateTimeImmutable( $until ) )->format( 'U.u' ) : 0.0;
	} catch ( \Exception $unreadable ) {
		return 0.0;
	}
}

/**
 * Keep what Latchkey says that somebody has, and give and take roles.
 *
 * @param int   $user_id The account.
 * @param array $claims  An answer with the claim `access`.
 */
function learn( int $user_id, array $claims ): void {
	$until = array();
	foreach ( (array) ( $claims['access'] ?? array() ) as $entry ) {
		if ( is_array( $entry ) && is_string( $entry['product'] ?? null ) ) {
			$until[ $entry['product'] ] = end_of( $entry['until'] ?? null );
		}
	}
	update_user_meta(
		$user_id,
		RECORD,
		array(
			'asked' => microtime( true ),
			'until' => $until,
		)
	);
	Accounts\give_roles( $user_id, held( $until, microtime( true ) ) );
}

/**
 * What somebody had when Latchkey was last asked.
 *
 * @param int $user_id The account.
 * @return array{asked: float, until: array<string, ?float>}
 */
function record( int $user_id ): array {
	$known = get_user_meta( $user_id, RECORD, true );
	return is_array( $known ) ? $known : array(
		'asked' => 0.0,
		'until' => array(),
	);
}

/**
 * The products whose end hasn't come.
 *
 * @param array<string, ?float> $until Ends by product.
 * @param float                 $now   The time.
 * @return string[]
 */
function held( array $until, float $now ): array {
	$live = array_filter( $until, static fn( $end ) => null === $end || $now < $end );
	return array_map( 'strval', array_keys( $live ) );
}

/**
 * Whether a record needs to be asked for again: it is old, or something in it has ended since,
 * which may have been prolonged.
 *
 * @param array $record A record.
 * @param float $now    The time.
 */
function is_due( array $record, float $now ): bool {
	if ( $now - $record['asked'] >= FRESH || $now < $record['asked'] ) {
		return true;
	}
	foreach ( $record['until'] as $end ) {
		if ( null !== $end && $record['asked'] < $end && $end <= $now ) {
			return true;
		}
	}
	return false;
}

/**
 * What a session of an account keeps from its sign-in with Latchkey; null if it began otherwise.
 *
 * @param int $user_id The account.
 */
function session( int $user_id ): ?array {
	$token = wp_get_session_token();
	$found = '' === $token ? null : WP_Session_Tokens::get_instance( $user_id )->get( $token );
	$kept  = $found[ SESSION ] ?? null;
	return is_array( $kept ) && ( $kept['issuer'] ?? null ) === Settings\issuer() ? $kept : null;
}

/**
 * On each request of somebody who has signed in with Latchkey: ask if it is time to, and sign out
 * whoever's sign-in has ended there.
 */
function keep_up(): void {
	$user_id = get_current_user_id();
	if ( 0 === $user_id || null === Accounts\subject_of( $user_id ) ) {
		return;
	}
	$session = session( $user_id );
	if ( null !== $session && is_due( record( $user_id ), microtime( true ) ) && false === ask( $user_id, $session ) ) {
		WP_Session_Tokens::get_instance( $user_id )->destroy( wp_get_session_token() );
		wp_clear_auth_cookie();
		wp_set_current_user( 0 );
		return;
	}
	$record   = record( $user_id );
	$now      = microtime( true );
	$believed = $now - $record['asked'] < BELIEVED;
	Accounts\give_roles( $user_id, $believed ? held( $record['until'], $now ) : array() );
}

/**
 * Ask Latchkey what a session stands for, and keep the answer. False if it has ended; null without
 * an answer.
 *
 * @param int   $user_id The account.
 * @param array $session What the session keeps.
 */
function ask( int $user_id, array $session ): ?bool {
	if ( get_transient( AWAY ) ) {
		return null;
	}
	$answer = Provider\introspect( (string) $session['refresh_token'] );
	if ( is_wp_error( $answer ) ) {
		set_transient( AWAY, '1', PAUSE );
		return null;
	}
	$theirs = true === ( $answer['active'] ?? null )
		&& ( $answer['iss'] ?? null ) === Settings\issuer()
		&& ( $answer['client_id'] ?? null ) === Settings\client_id()
		&& ( $answer['sub'] ?? null ) === Accounts\subject_of( $user_id );
	learn( $user_id, $theirs ? $answer : array() );
	return $theirs;
}

/**
 * Whether the visitor may open one of some products: one of the four words above.
 *
 * @param string[] $products Slugs.
 */
function answer( array $products ): string {
	$user_id = get_current_user_id();
	if ( 0 === $user_id || null === Accounts\subject_of( $user_id ) || null === session( $user_id ) ) {
		return SIGN_IN;
	}
	$record = record( $user_id );
	$now    = microtime( true );
	$old    = is_due( $record, $now );
	if ( $now - $record['asked'] < BELIEVED && array_intersect( $products, held( $record['until'], $now ) ) ) {
		return OPEN;
	}
	return $old ? UNKNOWN : LACKS;
}

/**
 * Take the roles whose product has ended meanwhile from those who didn't come back.
 */
function take_roles(): void {
	$users = get_users(
		array(
			'meta_key' => Accounts\ROLES, // phpcs:ignore WordPress.DB.SlowDBQuery -- The key is indexed.
			'fields'   => 'ID',
		)
	);
	foreach ( $users as $user_id ) {
		Accounts\give_roles( (int) $user_id, held( record( (int) $user_id )['until'], microtime( true ) ) );
	}
}
