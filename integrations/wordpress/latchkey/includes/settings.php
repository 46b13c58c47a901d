<?php
/**
 * The plugin's settings and their page.
 *
 * @package Latchkey
 */

namespace Latchkey\Settings;

use Latchkey\Accounts;
use Latchkey\Provider;

defined( 'ABSPATH' ) || exit;

const OPTION = 'latchkey';
const PAGE   = 'latchkey';

/**
 * Hook into WordPress.
 */
function hooks(): void {
	add_action( 'admin_init', __NAMESPACE__ . '\\register' );
	add_action( 'admin_menu', __NAMESPACE__ . '\\menu' );
}

/**
 * All settings.
 */
function all(): array {
	$defaults = array(
		'issuer'        => '',
		'client_id'     => '',
		'client_secret' => '',
		'label'         => '',
		'password_form' => true,
		'link_accounts' => false,
		'roles'         => array(),
	);
	return array_merge( $defaults, (array) get_option( OPTION, array() ) );
}

/**
 * The address of the provider, which is its name as well.
 */
function issuer(): string {
	return defined( 'LATCHKEY_ISSUER' ) ? (string) LATCHKEY_ISSUER : (string) all()['issuer'];
}

/**
 * The name that the provider knows this site by.
 */
function client_id(): string {
	return defined( 'LATCHKEY_CLIENT_ID' ) ? (string) LATCHKEY_CLIENT_ID : (string) all()['client_id'];
}

/**
 * What this site proves its name by.
 */
function client_secret(): string {
	return defined( 'LATCHKEY_CLIENT_SECRET' ) ? (string) LATCHKEY_CLIENT_SECRET : (string) all()['client_secret'];
}

/**
 * Whether enough is known to sign people in.
 */
function complete(): bool {
	return '' !== issuer() && '' !== client_id() && '' !== client_secret();
}

/**
 * Whether the WordPress form for passwords stays for everybody.
 */
function password_form(): bool {
	return ! complete() || (bool) all()['password_form'];
}

/**
 * What the button says.
 */
function label(): string {
	$label = (string) all()['label'];
	return '' === $label ? __( 'Sign in with your membership', 'latchkey' ) : $label;
}

/**
 * The roles that a product gives: each with `product` (a slug) and `role`.
 */
function roles(): array {
	return array_filter( (array) all()['roles'], 'is_array' );
}

/**
 * Where the provider sends people back to.
 */
function redirect_uri(): string {
	return site_url( 'wp-login.php?action=latchkey-callback', 'login' );
}

/**
 * Register the option.
 */
function register(): void {
	register_setting(
		PAGE,
		OPTION,
		array(
			'type'              => 'array',
			'sanitize_callback' => __NAMESPACE__ . '\\sanitize',
			'show_in_rest'      => false,
		)
	);
}

/**
 * What is stored of what an administrator sent. What is wrong stays as it was, and is said.
 *
 * @param mixed $given The fields of the form.
 */
function sanitize( $given ): array {
	$before = all();
	$given  = is_array( $given ) ? $given : array();
	$issuer = untrailingslashit( esc_url_raw( trim( (string) ( $given['issuer'] ?? '' ) ), array( 'https', 'http' ) ) );
	if ( '' !== $issuer && ! Provider\is_safe_address( $issuer ) ) {
		add_settings_error( OPTION, 'issuer', __( 'The issuer has to be an address that starts with https://. It stays as it was.', 'latchkey' ) );
		$issuer = $before['issuer'];
	}
	$secret = trim( sanitize_text_field( (string) ( $given['client_secret'] ?? '' ) ) );
	delete_transient( Provider\METADATA );
	return array(
		'issuer'        => $issuer,
		'client_id'     => sanitize_text_field( (string) ( $given['client_id'] ?? '' ) ),
		'client_secret' => '' === $secret ? $before['client_secret'] : $secret,
		'label'         => sanitize_text_field( (string) ( $given['label'] ?? '' ) ),
		'password_form' => ! empty( $given['password_form'] ),
		'link_accounts' => ! empty( $given['link_accounts'] ),
		'roles'         => sanitize_roles( $given['roles'] ?? array() ),
	);
}

/**
 * The rows of products and roles that can be stored.
 *
 * @param mixed $rows The rows of the form.
 */
function sanitize_roles( $rows ): array {
	$kept = array();
	foreach ( is_array( $rows ) ? $rows : array() as $row ) {
		$product = sanitize_text_field( (string) ( $row['product'] ?? '' ) );
		$role    = sanitize_key( (string) ( $row['role'] ?? '' ) );
		if ( '' === $product || '' === $role ) {
			continue;
		}
		if ( ! Accounts\may_be_given( $role ) ) {
			/* translators: %s: the name of a role, such as administrator */
			add_settings_error( OPTION, 'role', sprintf( __( 'The role %s could change this site for everybody, so it can’t be given for a product.', 'latchkey' ), $role ) );
			continue;
		}
		$kept[] = array(
			'product' => $product,
			'role'    => $role,
		);
	}
	return $kept;
}

/**
 * Add the page to the menu.
 */
function menu(): void {
	add_options_page( 'Latchkey', 'Latchkey', 'manage_options', PAGE, __NAMESPACE__ . '\\page' );
}

/**
 * Whether the provider answers and knows this site: what to say, and whether that is good.
 *
 * @return array{0: string, 1: bool}
 */
function check(): array {
	$metadata = Provider\metadata( true );
	if ( is_wp_error( $metadata ) ) {
		/* translators: %s: why */
		return array( sprintf( __( 'Latchkey can’t be read there. %s', 'latchkey' ), $metadata->get_error_message() ), false );
	}
	$answer = Provider\introspect( 'check' );
	if ( is_wp_error( $answer ) ) {
		/* translators: %s: why */
		return array( sprintf( __( 'Latchkey is there, but doesn’t accept the client ID and secret. %s', 'latchkey' ), $answer->get_error_message() ), false );
	}
	return array( __( 'Latchkey is there and knows this site.', 'latchkey' ), true );
}

/**
 * The page.
 */
function page(): void {
	if ( ! current_user_can( 'manage_options' ) ) {
		return;
	}
	$settings = all();
	?>
	<div class="wrap">
		<h1>Latchkey</h1>
		<?php
		if ( complete() ) {
			list( $says, $good ) = check();
			printf( '<div class="notice notice-%s inline"><p>%s</p></div>', $good ? 'success' : 'error', esc_html( $says ) );
		}
		?>
		<h2><?php esc_html_e( 'Addresses to register', 'latchkey' ); ?></h2>
		<p><?php esc_html_e( 'In Latchkey’s admin pages, make a client for your own site, with these addresses and all scopes:', 'latchkey' ); ?></p>
		<table class="form-table" role="presentation">
			<?php
			$addresses = array(
				__( 'Redirect address', 'latchkey' )         => redirect_uri(),
				__( 'Address after signing out', 'latchkey' ) => home_url( '/' ),
				__( 'Back-channel logout address', 'latchkey' ) => rest_url( 'latchkey/v1/logout' ),
			);
			foreach ( $addresses as $name => $address ) {
				printf( '<tr><th scope="row">%s</th><td><code>%s</code></td></tr>', esc_html( $name ), esc_html( $address ) );
			}
			?>
		</table>
		<form method="post" action="options.php">
			<?php settings_fields( PAGE ); ?>
			<h2><?php esc_html_e( 'Connection', 'latchkey' ); ?></h2>
			<table class="form-table" role="presentation">
				<?php
				field( 'issuer', __( 'Issuer', 'latchkey' ), $settings['issuer'], 'url', __( 'The address of your Latchkey, such as https://members.example.com', 'latchkey' ), defined( 'LATCHKEY_ISSUER' ) );
				field( 'client_id', __( 'Client ID', 'latchkey' ), $settings['client_id'], 'text', '', defined( 'LATCHKEY_CLIENT_ID' ) );
				field(
					'client_secret',
					__( 'Client secret', 'latchkey' ),
					'',
					'password',
					'' === client_secret() ? __( 'Latchkey shows it once.', 'latchkey' ) : __( 'It is stored and isn’t shown again. Leave this empty to keep it.', 'latchkey' ),
					defined( 'LATCHKEY_CLIENT_SECRET' )
				);
				?>
			</table>
			<h2><?php esc_html_e( 'Signing in', 'latchkey' ); ?></h2>
			<table class="form-table" role="presentation">
				<?php
				field( 'label', __( 'What the button says', 'latchkey' ), label(), 'text', '', false );
				checkbox( 'password_form', __( 'Passwords', 'latchkey' ), __( 'Everybody may also sign in with a WordPress password', 'latchkey' ), $settings['password_form'], __( 'Otherwise only administrators may. They can’t sign in with Latchkey.', 'latchkey' ) );
				checkbox( 'link_accounts', __( 'Existing accounts', 'latchkey' ), __( 'Connect an existing account with the same email address, if Latchkey has verified it', 'latchkey' ), $settings['link_accounts'], __( 'Accounts that may write or manage anything here are never connected.', 'latchkey' ) );
				?>
			</table>
			<h2><?php esc_html_e( 'Roles', 'latchkey' ); ?></h2>
			<p><?php esc_html_e( 'Whoever has the product gets the role beside their own, and loses it with the product.', 'latchkey' ); ?></p>
			<table class="widefat" style="max-width:44em">
				<thead><tr><th scope="col"><?php esc_html_e( 'Product (slug)', 'latchkey' ); ?></th><th scope="col"><?php esc_html_e( 'Role', 'latchkey' ); ?></th></tr></thead>
				<?php
				foreach ( array_values( array_merge( roles(), array( array(), array(), array() ) ) ) as $index => $row ) {
					role_row( $index, $row );
				}
				?>
			</table>
			<?php submit_button(); ?>
		</form>
	</div>
	<?php
}

/**
 * A row with a field.
 *
 * @param string $name  The setting.
 * @param string $title What it is called.
 * @param string $value What it is.
 * @param string $type  The field's type.
 * @param string $hint  What helps.
 * @param bool   $fixed Whether wp-config.php says what it is.
 */
function field( string $name, string $title, string $value, string $type, string $hint, bool $fixed ): void {
	$hint = $fixed ? __( 'Set in wp-config.php.', 'latchkey' ) : $hint;
	printf(
		'<tr><th scope="row"><label for="latchkey-%1$s">%2$s</label></th><td><input class="regular-text" id="latchkey-%1$s" name="%3$s[%1$s]" type="%4$s" value="%5$s" autocomplete="off" %6$s><p class="description">%7$s</p></td></tr>',
		esc_attr( $name ),
		esc_html( $title ),
		esc_attr( OPTION ),
		esc_attr( $type ),
		esc_attr( $value ),
		disabled( $fixed, true, false ),
		esc_html( $hint )
	);
}

/**
 * A row with a checkbox.
 *
 * @param string $name  The setting.
 * @param string $title What it is called.
 * @param string $label What is agreed to.
 * @param bool   $value Whether it is.
 * @param string $hint  What helps.
 */
function checkbox( string $name, string $title, string $label, bool $value, string $hint ): void {
	printf(
		'<tr><th scope="row">%1$s</th><td><label><input name="%2$s[%3$s]" type="checkbox" value="1" %4$s> %5$s</label><p class="description">%6$s</p></td></tr>',
		esc_html( $title ),
		esc_attr( OPTION ),
		esc_attr( $name ),
		checked( $value, true, false ),
		esc_html( $label ),
		esc_html( $hint )
	);
}

/**
 * A row with a product and its role.
 *
 * @param int   $index The row's number.
 * @param array $row   What is in it.
 */
function role_row( int $index, array $row ): void {
	$name = OPTION . '[roles][' . $index . ']';
	printf(
		'<tr><td><input class="regular-text" name="%1$s[product]" type="text" value="%2$s" aria-label="%3$s"></td><td><select name="%1$s[role]" aria-label="%4$s"><option value="">—</option>',
		esc_attr( $name ),
		esc_attr( $row['product'] ?? '' ),
		esc_attr__( 'Product (slug)', 'latchkey' ),
		esc_attr__( 'Role', 'latchkey' )
	);
	foreach ( wp_roles()->get_names() as $role => $title ) {
		if ( Accounts\may_be_given( $role ) ) {
			printf( '<option value="%s" %s>%s</option>', esc_attr( $role ), selected( $role, $row['role'] ?? '', false ), esc_html( translate_user_role( $title ) ) );
		}
	}
	echo '</select></td></tr>';
}
