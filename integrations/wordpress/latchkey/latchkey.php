<?php
/**
 * Plugin Name:       Latchkey
 * Description:       Sign in with Latchkey, roles by what people have bought, and parts of pages only for people who have a product.
 * Version:           0.1.0
 * Requires at least: 6.1
 * Requires PHP:      8.2
 * Author:            Latchkey
 * License:           MIT
 * License URI:       https://opensource.org/license/mit
 * Text Domain:       latchkey
 * Domain Path:       /languages
 *
 * @package Latchkey
 */

namespace Latchkey;

defined( 'ABSPATH' ) || exit;

const VERSION = '0.1.0';

require __DIR__ . '/includes/settings.php';
require __DIR__ . '/includes/provider.php';
require __DIR__ . '/includes/id-token.php';
require __DIR__ . '/includes/accounts.php';
require __DIR__ . '/includes/access.php';
require __DIR__ . '/includes/sign-in.php';
require __DIR__ . '/includes/sign-out.php';
require __DIR__ . '/includes/content.php';
require __DIR__ . '/includes/login-form.php';

add_action(
	'init',
	static function () {
		load_plugin_textdomain( 'latchkey', false, dirname( plugin_basename( __FILE__ ) ) . '/languages' );
	},
	0
);

register_activation_hook( __FILE__, __NAMESPACE__ . '\\Access\\schedule' );
register_deactivation_hook( __FILE__, __NAMESPACE__ . '\\Access\\unschedule' );

Settings\hooks();
Access\hooks();
Sign_In\hooks();
Sign_Out\hooks();
Content\hooks();
Login_Form\hooks();
