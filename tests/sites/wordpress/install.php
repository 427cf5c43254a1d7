<?php
/** Installs WordPress and fills it: posts in several languages, pages, media, comments, posts that are not public. */
define('WP_INSTALLING', true);
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/image.php';

wp_install('Lamps & more', 'editor', 'editor@site.test', true, '', 'secret-of-the-editor');
wp_set_current_user(1);
update_option('permalink_structure', '/%year%/%postname%/');
update_option('posts_per_page', 4);
update_option('thread_comments', 1);
update_option('comment_moderation', 0);
update_option('comment_previously_approved', 0);
switch_theme('twentytwentythree');
$reader = wp_insert_user(['user_login' => 'reader', 'user_pass' => 'secret-of-the-reader', 'user_email' => 'reader@site.test', 'role' => 'subscriber']);

$categories = array_map(fn ($name) => wp_insert_term($name, 'category')['term_id'], ['Desk lamps', 'Grün & schön']);
$publish = fn (array $fields) => wp_insert_post(['post_status' => 'publish', 'post_author' => 1, 'post_type' => 'post', ...$fields], true);
for ($n = 1; $n <= 11; $n++) {
    $id = $publish([
        'post_title' => "Lamp $n", 'post_name' => "lamp-$n", 'post_date' => sprintf('2026-03-%02d 10:00:00', $n),
        'post_content' => "<!-- wp:paragraph --><p>The <em>lamp</em> number $n gives red light.</p><!-- /wp:paragraph -->",
        'post_category' => [$categories[$n % 2]], 'tags_input' => $n % 3 ? ['bright'] : ['dim', 'красный'],
    ]);
    if ($n % 4 === 0) {
        wp_insert_comment(['comment_post_ID' => $id, 'comment_author' => 'Ann', 'comment_author_email' => 'ann@site.test', 'comment_content' => "Nice lamp $n", 'comment_approved' => 1]);
    }
}
$publish(['post_title' => 'Привет, мир', 'post_content' => 'Русский текст', 'post_date' => '2026-03-20 10:00:00']);
$publish(['post_title' => 'In two parts', 'post_name' => 'two-parts', 'post_content' => "First part<!--nextpage-->Second part", 'post_date' => '2026-03-21 10:00:00']);
$publish(['post_title' => 'Protected', 'post_name' => 'protected', 'post_content' => 'The hidden text', 'post_password' => 'open', 'post_date' => '2026-03-22 10:00:00']);
$publish(['post_title' => 'Private', 'post_name' => 'private-post', 'post_content' => 'Only for editors', 'post_status' => 'private']);
$publish(['post_title' => 'Draft', 'post_name' => 'draft-post', 'post_content' => 'Not yet', 'post_status' => 'draft']);
$parent = $publish(['post_title' => 'About', 'post_name' => 'about', 'post_type' => 'page', 'post_content' => 'About us']);
$publish(['post_title' => 'Team', 'post_name' => 'team', 'post_type' => 'page', 'post_parent' => $parent, 'post_content' => 'The team']);

$image = imagecreatetruecolor(1600, 900);
imagefilledrectangle($image, 100, 100, 900, 700, 0xcc2200);
ob_start();
imagejpeg($image);
$upload = wp_upload_bits('lamp.jpg', null, ob_get_clean());
$attachment = wp_insert_attachment(['post_title' => 'lamp', 'post_mime_type' => 'image/jpeg', 'post_status' => 'inherit'], $upload['file']);
wp_update_attachment_metadata($attachment, wp_generate_attachment_metadata($attachment, $upload['file']));
$publish(['post_title' => 'With picture', 'post_name' => 'with-picture', 'post_date' => '2026-03-23 10:00:00', 'post_content' => '<!-- wp:image {"id":' . $attachment . '} --><figure class="wp-block-image">' . wp_get_attachment_image($attachment, 'large') . '</figure><!-- /wp:image -->']);
$text = wp_upload_bits('manual.txt', null, str_repeat("A manual of lamps.\n", 500));
flush_rewrite_rules();
echo 'installed';
