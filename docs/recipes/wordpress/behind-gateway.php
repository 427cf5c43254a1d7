<?php
/**
 * The server behind the gateway. The file wp-config.php includes this one, before it loads WordPress.
 */

// The gateway tells which host and scheme the visitor asked for. Without these lines, WordPress would redirect visitors to
// its own server. Only the gateway may be able to reach this server, because everybody could send these headers.
if (isset($_SERVER['HTTP_X_FORWARDED_HOST'])) {
    $_SERVER['HTTP_HOST'] = $_SERVER['HTTP_X_FORWARDED_HOST'];
}
if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') {
    $_SERVER['HTTPS'] = 'on';
}

// The secrets of the gateway, which the plugin needs.
define('ISR_ADMIN_TOKEN', getenv('ISR_ADMIN_TOKEN') ?: '');
define('ISR_BYPASS_TOKEN', getenv('ISR_BYPASS_TOKEN') ?: '');
