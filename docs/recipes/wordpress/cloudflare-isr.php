<?php
/**
 * Plugin Name: cloudflare-isr
 * Description: Tells the page cache in front of WordPress which pages an edit or a comment changes.
 */

defined('ABSPATH') || exit;

/** Tags each page: `wp`, and each post that it shows. */
add_action('wp', function () {
    if (headers_sent()) {
        return;
    }
    $posts = wp_list_pluck($GLOBALS['wp_query']->posts ?? [], 'ID');
    $tags = array_map(fn ($id) => "post-$id", $posts);
    if (is_comment_feed()) {
        $tags[] = 'comments';
    }
    header('Cache-Tag: ' . implode(',', ['wp', ...$tags]));
});

/** Tags the answers of the REST API. */
add_filter('rest_post_dispatch', function ($response) {
    $response->header('Cache-Tag', 'wp, comments');
    return $response;
});

/** Invalidates pages by their tags, with one call at the end of this request, when everything is saved. */
function cloudflare_isr_invalidate(string ...$tags): void
{
    static $changed = [];
    if (ISR_ADMIN_TOKEN === '') {
        return;
    }
    if ($changed === []) {
        add_action('shutdown', function () use (&$changed) {
            $gateway = defined('ISR_GATEWAY') ? ISR_GATEWAY : home_url();
            $answer = wp_remote_post($gateway . '/__isr/revalidate', [
                'headers' => ['Authorization' => 'Bearer ' . ISR_ADMIN_TOKEN, 'Content-Type' => 'application/json'],
                'body' => wp_json_encode(['tags' => array_keys($changed)]),
                'timeout' => 10,
            ]);
            if (is_wp_error($answer) || wp_remote_retrieve_response_code($answer) >= 300) {
                error_log('cloudflare-isr: the pages were not invalidated: ' . wp_json_encode($answer));
            }
        });
    }
    $changed += array_fill_keys($tags, true);
}

// A post that is or was public may be listed on any page: in menus, as the next post, among the latest.
add_action('transition_post_status', function ($new, $old) {
    if ($new === 'publish' || $old === 'publish') {
        cloudflare_isr_invalidate('wp');
    }
}, 10, 2);
add_action('attachment_updated', fn () => cloudflare_isr_invalidate('wp'));

// Names, menus, widgets and settings.
$changes = [
    'created_term', 'edited_term', 'delete_term', 'profile_update', 'wp_update_nav_menu', 'customize_save_after',
    'switch_theme',
];
foreach ($changes as $change) {
    add_action($change, fn () => cloudflare_isr_invalidate('wp'));
}
add_action('updated_option', function ($option) {
    $shown = [
        'blogname', 'blogdescription', 'permalink_structure', 'posts_per_page', 'show_on_front', 'page_on_front',
        'date_format', 'sidebars_widgets', 'site_icon', 'blog_public',
    ];
    if (in_array($option, $shown, true)) {
        cloudflare_isr_invalidate('wp');
    }
});

// A comment changes the pages that show its post, once it is approved, edited or removed.
function cloudflare_isr_comment(WP_Comment $comment): void
{
    cloudflare_isr_invalidate('post-' . $comment->comment_post_ID, 'comments');
}
add_action('wp_insert_comment', function ($id, $comment) {
    if ($comment->comment_approved === '1') {
        cloudflare_isr_comment($comment);
    }
}, 10, 2);
add_action('edit_comment', fn ($id) => cloudflare_isr_comment(get_comment($id)));
add_action('transition_comment_status', fn ($new, $old, $comment) => cloudflare_isr_comment($comment), 10, 3);
add_action('deleted_comment', fn ($id, $comment) => cloudflare_isr_comment($comment), 10, 2);

// Those who edit see everything as it is now: the cookie of the gateway's draft mode.
function cloudflare_isr_draft_cookie(string $value, int $expires): void
{
    if (ISR_BYPASS_TOKEN !== '' && !headers_sent()) {
        $attributes = ['path' => '/', 'secure' => is_ssl(), 'httponly' => true, 'samesite' => 'Lax'];
        setcookie('__isr_bypass', $value, ['expires' => $expires, ...$attributes]);
    }
}
add_action('set_logged_in_cookie', function ($cookie, $expire, $expiration, $user) {
    if (user_can($user, 'edit_posts')) {
        cloudflare_isr_draft_cookie(ISR_BYPASS_TOKEN, $expire);
    }
}, 10, 4);
add_action('clear_auth_cookie', fn () => cloudflare_isr_draft_cookie('', 1));
