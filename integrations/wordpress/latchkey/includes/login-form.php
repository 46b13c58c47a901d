<?php
/**
 * The sign-in page of WordPress: the button, what went wrong, and who may still use a password.
 *
 * @package Latchkey
 */

namespace Latchkey\Login_Form;

use Latchkey\Accounts;
use Latchkey\Settings;
use Latchkey\Sign_In;
use WP_Error;
use WP_User;

defined( 'ABSPATH' ) || exit;

/**
 * Hook into WordPress.
 */
function hooks(): void {
	add_filter( 'login_message', __NAMESPACE__ . '\\button' );
	add_filter( 'wp_login_errors', __NAMESPACE__ . '\\say' );
	add_action( 'login_enqueue_scripts', __NAMESPACE__ . '\\style' );
	add_filter( 'authenticate', __NAMESPACE__ . '\\refuse_password', 100 );
	add_filter( 'allow_password_reset', __NAMESPACE__ . '\\allow_reset', 10, 2 );
}

/**
 * What can be said after a sign-in that failed, by its code in the address.
 *
 * @return array<string, string>
 */
function sentences(): array {
	return array(
		'away'          => __( 'Signing in isn’t possible at the moment. Please try again in a few minutes.', 'latchkey' ),
		'stale'         => __( 'That sign-in has expired, was used already, or was begun in another browser. Please start again.', 'latchkey' ),
		'denied'        => __( 'You weren’t signed in, because you said no.', 'latchkey' ),
		'refused'       => __( 'Signing in didn’t work, and nobody was signed in. Please tell whoever runs this site.', 'latchkey' ),
		'invalid'       => __( 'The answer to that sign-in isn’t valid, so nobody was signed in. Please start again.', 'latchkey' ),
		'taken'         => __( 'Another account here has your email address. Please ask whoever runs this site to connect or remove it.', 'latchkey' ),
		'administrator' => __( 'Administrators sign in with their WordPress password.', 'latchkey' ),
	);
}

/**
 * Add to the page what went wrong.
 *
 * @param WP_Error $errors What else went wrong.
 */
function say( WP_Error $errors ): WP_Error {
	$code = Sign_In\parameter( 'latchkey' );
	if ( isset( sentences()[ $code ] ) ) {
		$errors->add( 'latchkey', esc_html( sentences()[ $code ] ) );
	}
	return $errors;
}

/**
 * Whether the page shows the form for passwords: to everybody, or to whoever asks for it.
 */
function shows_form(): bool {
	return Settings\password_form() || '' !== Sign_In\parameter( 'password' ) || isset( $_POST['log'] ); // phpcs:ignore WordPress.Security.NonceVerification -- Nothing is done.
}

/**
 * The button above the form.
 *
 * @param string $message What else stands there.
 */
function button( string $message ): string {
	if ( ! Settings\complete() ) {
		return $message;
	}
	$back  = Sign_In\parameter( 'redirect_to' );
	$made  = sprintf(
		'<p class="latchkey-sign-in"><a class="button button-primary button-hero" href="%s">%s</a></p>',
		esc_url( Sign_In\address( '' === $back ? home_url( '/' ) : $back ) ),
		esc_html( Settings\label() )
	);
	$made .= shows_form() ? '' : sprintf(
		'<p class="latchkey-password"><a href="%s">%s</a></p>',
		esc_url( add_query_arg( 'password', '1', wp_login_url( $back ) ) ),
		esc_html__( 'Administrators sign in with a password', 'latchkey' )
	);
	return $message . $made;
}

/**
 * How the page looks. Hiding the form protects nothing: `refuse_password` does.
 */
function style(): void {
	$rules = '.latchkey-sign-in,.latchkey-password{margin:16px 0;text-align:center}.login .latchkey-sign-in .button{float:none;width:100%;text-align:center}';
	if ( ! shows_form() ) {
		$rules .= '#loginform,#nav{display:none}';
	}
	wp_register_style( 'latchkey-login', false, array( 'login' ), \Latchkey\VERSION );
	wp_enqueue_style( 'latchkey-login' );
	wp_add_inline_style( 'latchkey-login', $rules );
}

/**
 * Refuse a right password, unless it is an administrator's, where passwords aren't for everybody.
 *
 * @param mixed $user Whose password it is.
 * @return mixed
 */
function refuse_password( $user ) {
	if ( ! $user instanceof WP_User || Settings\password_form() || Accounts\is_powerful( $user ) ) {
		return $user;
	}
	return new WP_Error( 'latchkey_password', __( 'Please sign in with the button.', 'latchkey' ) );
}

/**
 * Who may have a new password emailed: who may use it.
 *
 * @param bool $allow   Whether they may so far.
 * @param int  $user_id Whose it would be.
 */
function allow_reset( bool $allow, int $user_id ): bool {
	$user = get_userdata( $user_id );
	return $allow && ( Settings\password_form() || ( $user && Accounts\is_powerful( $user ) ) );
}
