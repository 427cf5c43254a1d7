/** WordPress of Debian's packages, with nginx, PHP and MariaDB, in a folder of its own. */
import { cp, mkdir, readFile, readdir, readlink, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { startNginx } from "../nginx.mjs";
import { debian, debianEnvironment, here, host, isRoot, run, serve, siteFolder } from "../programs.mjs";

/** The recipe whose files the site uses. */
export const recipe = path.join(here, "../../docs/recipes/wordpress");

/**
 * Starts WordPress, filled by install.php.
 * @param {{ gateway: string, adminToken: string, bypassToken: string }} options what the recipe's plugin needs
 * @returns the address of nginx
 */
export async function startWordPress({ gateway, adminToken, bypassToken }) {
  const folder = await siteFolder();
  const site = path.join(folder, "site");
  const env = debianEnvironment();
  await copy("usr/share/wordpress", site);
  await copy("usr/share/wordpress/wp-content/themes/twentytwentythree", path.join(site, "wp-content/themes/twentytwentythree"));
  await mkdir(path.join(site, "wp-content/uploads"), { recursive: true });
  await mkdir(path.join(site, "wp-content/mu-plugins"), { recursive: true });
  await cp(path.join(recipe, "cloudflare-isr.php"), path.join(site, "wp-content/mu-plugins/cloudflare-isr.php"));
  await cp(path.join(recipe, "behind-gateway.php"), path.join(site, "behind-gateway.php"));
  await writeFile(path.join(site, "wp-config.php"), configuration(folder, gateway));

  await startDatabase(folder, env);
  const ini = await writeIni(folder);
  const fpm = `[global]\nerror_log = ${folder}/php.log\ndaemonize = no\n[www]\n${isRoot ? "user = root\ngroup = root\n" : ""}listen = ${folder}/php.sock\npm = static\npm.max_children = 4\nclear_env = no\ncatch_workers_output = yes\n`;
  await writeFile(path.join(folder, "fpm.conf"), fpm);
  const php = { ...env, ISR_ADMIN_TOKEN: adminToken, ISR_BYPASS_TOKEN: bypassToken };
  await run(await debian("usr/bin/php8.2"), ["-c", ini, "-d", "log_errors=1", path.join(here, "wordpress/install.php"), site], { env: { ...env } });
  const args = [...(isRoot ? ["-R"] : []), "-F", "-c", ini, "-y", path.join(folder, "fpm.conf")];
  await serve(await debian("usr/sbin/php-fpm8.2"), args, { socket: path.join(folder, "php.sock"), env: php });
  const log = async () => (await readFile(path.join(folder, "php.log"), "utf8")).slice(-3000);
  return { address: await startNginx(folder, path.join(here, "wordpress/nginx.conf")), log };
}

/** Copies a folder of the packages. Its links into other packages become copies of what they name. */
async function copy(relative, to) {
  const from = await debian(relative);
  await cp(from, to, { recursive: true, verbatimSymlinks: true });
  for (const entry of await readdir(to, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const link = path.join(entry.parentPath, entry.name);
    const named = path.resolve("/", path.dirname(path.join(relative, path.relative(to, link))), await readlink(link));
    await rm(link);
    // What a link names outside of all packages is the system's configuration, such as `.htaccess`.
    const file = await debian(named.slice(1)).catch(() => undefined);
    if (file !== undefined) await cp(file, link, { dereference: true });
  }
}

function configuration(folder, gateway) {
  const settings = {
    DB_NAME: "wordpress", DB_USER: "root", DB_PASSWORD: "", DB_HOST: `localhost:${folder}/db.sock`, DB_CHARSET: "utf8mb4", DB_COLLATE: "",
    ISR_GATEWAY: gateway, DISABLE_WP_CRON: true, AUTOMATIC_UPDATER_DISABLED: true,
    // This machine has no network: WordPress would wait for wordpress.org.
    WP_HTTP_BLOCK_EXTERNAL: true, WP_ACCESSIBLE_HOSTS: "127.0.0.1",
    ...Object.fromEntries(["AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY", "AUTH_SALT", "SECURE_AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT"].map((name) => [name, `${name} of the tests`])),
  };
  const lines = Object.entries(settings).map(([name, value]) => `define('${name}', ${JSON.stringify(value)});`);
  return `<?php
require __DIR__ . '/behind-gateway.php';
$_SERVER['HTTP_HOST'] ??= '${host}';
${lines.join("\n")}
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
`;
}

async function startDatabase(folder, env) {
  const [root] = (await debian("usr/bin/mariadb-install-db")).split("/usr/bin");
  const data = path.join(folder, "db");
  const user = isRoot ? ["--user=root"] : [];
  const base = ["--no-defaults", `--basedir=${root}/usr`, `--datadir=${data}`];
  await run(`${root}/usr/bin/mariadb-install-db`, [...base, "--auth-root-authentication-method=normal", "--skip-test-db", ...user], { env });
  const socket = path.join(folder, "db.sock");
  await serve(`${root}/usr/sbin/mariadbd`, [...base, ...user, "--skip-networking", `--socket=${socket}`, "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"], { socket, env });
  await run(`${root}/usr/bin/mariadb`, ["--no-defaults", `--socket=${socket}`, "-u", "root", "-e", "CREATE DATABASE wordpress CHARACTER SET utf8mb4"], { env });
}

/** Writes the settings of PHP: the extensions that WordPress asks for, from the unpacked packages. */
async function writeIni(folder) {
  const mysqli = await debian("usr/lib/php/20220829/mysqli.so");
  const extensions = ["mysqlnd", "mysqli", "ctype", "tokenizer", "xml", "dom", "simplexml", "xmlreader", "iconv", "exif", "fileinfo", "gd", "posix"];
  const lines = [`extension_dir = ${path.dirname(mysqli)}`, "zend_extension = opcache", ...extensions.map((name) => `extension = ${name}`), "memory_limit = 256M", "upload_max_filesize = 16M", "post_max_size = 16M", "date.timezone = UTC", "sendmail_path = true"];
  const file = path.join(folder, "php.ini");
  await writeFile(file, `${lines.join("\n")}\n`);
  return file;
}
