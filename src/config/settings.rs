//! Every setting, declared once: its name, where it is accepted, its bounds, its default, and what it does.
//!
//! The reader, the builders, the error messages, the JSON schema, the TypeScript types and the table in
//! `docs/configuration.md` are derived from these declarations. A new setting is declared here, and read into a field
//! of [`Config`](super::Config) or [`RouteSettings`](crate::route::RouteSettings). `UPDATE=1 cargo test --test schema
//! --test docs` then writes the files that are derived.

use std::collections::BTreeMap;
use std::time::Duration;

use super::builder::{Builder, RouteBuilder, RuleBuilder, VaryBuilder, WebhookBuilder};
use super::cache_name::{self, MAX_CACHE_NAME_CHARS};
use super::canonical_origin::CanonicalOrigin;
use super::feed_mode::FeedMode;
use super::hosts::{self, MAX_HOSTS};
use super::kinds::{
    Count, Custom, Flag, Lifetime, List, Objects, SameAs, Seconds, Table, Text, Texts, TypedSetting, Word,
};
use super::l2::L2Kind;
use super::log_mode::LogMode;
use super::query::{self, MAX_QUERY_NAME_BYTES, MAX_QUERY_NAMES, Query};
use super::setting::SettingLevel::{Route, Rule, TopLevel, Vary, Webhook};
use super::setting::{DefaultValue, ItemForm, ListForm, Setting, TextForm, Unit, ValueKind};
use super::value_error::ValueError;
use super::vary_values::{self, MAX_VALUES};
use super::zone::ZoneId;
use super::{sensitive_headers, statuses, webhooks};
use crate::invalidation::{Mode, Refresh};
use crate::route::{MAX_BINDING_NAME_CHARS, Origin, SELF_ORIGIN, SENSITIVE_HEADERS};
use crate::semantics::bypass_cookies::{CookiePattern, MAX_COOKIE_NAME_BYTES};
use crate::semantics::freshness::Revalidate;
use crate::semantics::http_rules::HttpRules;
use crate::semantics::key::TrailingSlash;
use crate::semantics::language::LanguageTag;
use crate::semantics::media_type::{MAX_MEDIA_TYPE_BYTES, MediaType};
use crate::semantics::set_cookie::SetCookie;
use crate::semantics::statuses::Statuses;
use crate::semantics::tag::{MAX_TAG_BYTES, MAX_TAGS_PER_ROUTE, Tag};
use crate::semantics::vary::Device;
use crate::tag_index_name::MAX_TAG_SHARDS;
use crate::webhook::{Condition, MAX_TEMPLATE_BYTES, Pointer, Scheme, Template};

const DAY: u32 = 86_400;
const YEAR: u32 = 365 * DAY;
const MIB: u32 = 1024 * 1024;

/// The largest body that KV stores: a value of 25 MiB (platform limit), less 64 KiB for the header before the body.
pub const KV_MAX_BODY_BYTES: u64 = 25 * MIB as u64 - 64 * 1024;

settings! {
    in [TopLevel, Route], set by [Builder, RouteBuilder] {
        /// Freshness lifetime of a page, unless its response sets another.
        revalidate(lifetime: impl Into<Revalidate>) => REVALIDATE: Lifetime = Lifetime { min: 1, max: YEAR, default: 60 };

        // A page that does not exist yet may exist soon, so the default is short.
        /// Freshness lifetime of a 404 or 410.
        not_found_revalidate(lifetime: impl Into<Revalidate>) => NOT_FOUND_REVALIDATE: SameAs<Lifetime> =
            SameAs::setting(&REVALIDATE).at_most(60);

        /// Stale window: how long after the freshness lifetime a page may be served while it is revalidated.
        expire(time: Duration) => EXPIRE: Seconds = Seconds { min: 0, max: YEAR, default: 7 * DAY };

        /// How long after the freshness lifetime a page may be served while the origin fails.
        stale_if_error(time: Duration) => STALE_IF_ERROR: SameAs<Seconds> = SameAs::setting(&EXPIRE);

        /// How long a browser may reuse a fresh page without a request. Invalidations do not reach it in this time.
        browser_max_age(time: Duration) => BROWSER_MAX_AGE: Seconds = Seconds { min: 0, max: YEAR, default: 0 };

        /// Meaning of a slash at the end of a path. With `strip`, `/a/` is the same page as `/a`; with `keep`, it is
        /// another page; with `redirect`, it redirects to `/a`.
        trailing_slash(meaning: TrailingSlash) => TRAILING_SLASH: Word<TrailingSlash> = Word {
            words: &TrailingSlash::WORDS,
            parse: TrailingSlash::parse,
            default: TrailingSlash::DEFAULT.as_str(),
        };

        /// Meaning of `Set-Cookie` in a response that does not say that it is for all clients. With `pass`, the response
        /// passes to the client with its cookie and is not stored; with `strip`, it is stored without the cookie.
        set_cookie(meaning: SetCookie) => SET_COOKIE: Word<SetCookie> = Word {
            words: &SetCookie::WORDS,
            parse: SetCookie::parse,
            default: SetCookie::DEFAULT.as_str(),
        };

        /// Cookies of visitors whose requests pass to the origin, as those of a session; `*` at the end stands for any
        /// ending. Other cookies then make no difference, even if a page has `Vary: Cookie`. Those of a route replace
        /// those of the top level.
        bypass_cookies(names: impl IntoIterator<Item = impl AsRef<str>>) => BYPASS_COOKIES: List<CookiePattern> = List {
            form: ListForm {
                max_items: MAX_VALUES,
                item: ItemForm::Text {
                    pattern: "^([!#$%&'+.^_`|~0-9A-Za-z-]{1,128}\\*?|\\*)$",
                    max_chars: Some(MAX_COOKIE_NAME_BYTES + 1),
                    noun: "cookie names",
                    example: "[\"wordpress_logged_in_*\", \"sessionid\"]",
                },
            },
            parse: |text| CookiePattern::parse(text).map_err(|_| ValueError::InvalidName),
            default: DefaultValue::EmptyList,
        };

        /// Rules by which responses are stored and reused. With `isr`, the route states lifetimes, and clients always
        /// ask; with `standard`, the origin's `Cache-Control` and `Expires` count as in RFC 9111, and clients receive
        /// them; see docs/http.md.
        http(rules: HttpRules) => HTTP: Word<HttpRules> = Word {
            words: &HttpRules::WORDS,
            parse: HttpRules::parse,
            default: HttpRules::DEFAULT.as_str(),
        };

        /// Origin of the pages, unless it is the service bound as `ORIGIN`; see docs/origins.md. `"self"` is this
        /// Worker itself, which renders pages with its own handler.
        origin(origin: &str) => ORIGIN: Text<Origin> = Text {
            form: TextForm {
                words: &[SELF_ORIGIN],
                patterns: &["^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+(/[^?#]*)?$", "^[A-Za-z_][A-Za-z0-9_]{0,63}$"],
                max_chars: None,
                description: "a URL without query, such as \"https://site.example.com\", the name of a service binding, \
                              such as \"SHOP_ORIGIN\", or \"self\"",
            },
            parse: |text| Ok(Origin::parse(text)?),
            default: None,
        };

        /// Headers that requests to the origin carry besides this cache's own; see docs/origins.md. Those of a route
        /// replace those of the top level.
        render_headers() => RENDER_HEADERS: Table =
            Table { accepts: ValueKind::RenderHeaders, default: DefaultValue::None };
    }

    in [TopLevel], set by [Builder] {
        /// The longest time for which an edge may miss an invalidation. With 0, every request asks for invalidations.
        freshness_bound(time: Duration) => FRESHNESS_BOUND: Seconds = Seconds { min: 0, max: 300, default: 10 };

        /// How an edge learns of invalidations. With `push`, an isolate with traffic keeps a stream open to the tag
        /// index, and learns of them within a round trip; with `poll`, it asks. `freshness_bound` holds for both. A
        /// stream keeps the tag index's object in memory, which the platform bills; see docs/push.md.
        feed(mode: FeedMode) => FEED: Word<FeedMode> =
            Word { words: &FeedMode::WORDS, parse: FeedMode::parse, default: FeedMode::DEFAULT.as_str() };

        /// Time allowed for the whole response of the origin, up to its last byte.
        render_timeout(time: Duration) => RENDER_TIMEOUT: Seconds = Seconds { min: 1, max: 600, default: 60 };

        /// Time allowed for the response headers of the origin. It counts towards `render_timeout`.
        first_byte_timeout(time: Duration) => FIRST_BYTE_TIMEOUT: SameAs<Seconds> = SameAs::setting(&RENDER_TIMEOUT);

        /// How long a client waits for the coordinator before the edge asks the origin directly.
        miss_timeout(time: Duration) => MISS_TIMEOUT: Seconds = Seconds { min: 1, max: 60, default: 30 };

        /// How long the cache remembers that a response may not be stored.
        pass_ttl(time: Duration) => PASS_TTL: Seconds = Seconds { min: 1, max: 3600, default: 60 };

        /// Number of renders that an eager refresh starts per second in each shard.
        refresh_rate(renders: u32) => REFRESH_RATE: Count =
            Count { unit: Unit::RendersPerSecond, min: 1, max: 100, default: 10 };

        /// Number of decisions that the log of each coordinator keeps; see docs/admin-api.md. Each decision costs a row
        /// written: one more per render. With 0, there is no log.
        decision_log(rows: u32) => DECISION_LOG: Count =
            Count { unit: Unit::Rows, min: 0, max: 10_000, default: 1000 };

        /// Number of objects that share the tag index. Increase it for very many tags or invalidations.
        tag_shards(objects: u16) => TAG_SHARDS: Objects = Objects { max: MAX_TAG_SHARDS, default: 1 };

        /// How long a page stays in the cache of one data center (L1).
        l1_ttl(time: Duration) => L1_TTL: Seconds = Seconds { min: 1, max: DAY, default: 3600 };

        // Beside 88 MiB of other bodies (`src/edge/memory.rs`), an isolate of 128 MB has no room for more.
        /// Memory for pages that are requested often, in bytes, in each isolate of the Worker. A HIT from there does not
        /// read L1. With 0, no page stays in memory.
        memory_bytes(bytes: u32) => MEMORY_BYTES: Count =
            Count { unit: Unit::Bytes, min: 0, max: 64 * MIB, default: 16 * MIB };

        /// The largest body that stays in the memory of an isolate. With 0, no page stays in memory.
        memory_page_bytes(bytes: u32) => MEMORY_PAGE_BYTES: Count =
            Count { unit: Unit::Bytes, min: 0, max: 4 * MIB, default: 256 * 1024 };

        /// Store of the pages for all data centers (L2); see docs/storage.md.
        l2(store: L2Kind) => L2: Word<L2Kind> =
            Word { words: &L2Kind::WORDS, parse: L2Kind::parse, default: L2Kind::DEFAULT.as_str() };

        // A coordinator has the bytes of a body twice while it joins its pieces and while it writes a page to L2.
        // Beside 48 MiB of other bodies that arrive meanwhile, a body of 32 MiB makes 112 of the 128 MB of an object
        // (platform limit), which leaves no room for a second such page at the same moment.
        /// The largest body that is stored. More than 26148864 bytes need R2.
        max_body_bytes(bytes: u32) => MAX_BODY_BYTES: Count =
            Count { unit: Unit::Bytes, min: 1, max: 32 * MIB, default: 10 * MIB };

        /// Whether responses have headers that tell how the cache handled them.
        expose_headers(exposed: bool) => EXPOSE_HEADERS: Flag = Flag { default: true };

        /// Whether requests and visits are counted: for `/__isr/metrics`, for Analytics Engine, and for the order of eager
        /// refreshes. An isolate with traffic then sends one message a minute; see docs/metrics.md.
        metrics(are_counted: bool) => METRICS: Flag = Flag { default: true };

        /// Which requests for pages the log has a line for. With `problems`, those for which something has failed; with
        /// `requests`, all but plain HITs. The platform may bill each line; see docs/metrics.md.
        log(requests: LogMode) => LOG: Word<LogMode> =
            Word { words: &LogMode::WORDS, parse: LogMode::parse, default: LogMode::DEFAULT.as_str() };

        /// Name of the Cache API's cache. The identity of the deployment is added to it.
        cache_name(name: &str) => CACHE_NAME: Text<String> = Text {
            form: TextForm {
                words: &[],
                patterns: &["^[A-Za-z0-9._-]+$"],
                max_chars: Some(MAX_CACHE_NAME_CHARS),
                description: "letters, digits, `.`, `_` or `-`",
            },
            parse: cache_name::parse,
            default: Some("cloudflare-isr"),
        };

        /// Origin that page keys contain in place of the host of the request.
        canonical_origin(origin: &str) => CANONICAL_ORIGIN: Text<CanonicalOrigin> = Text {
            form: TextForm {
                words: &[],
                patterns: &["^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+/*$"],
                max_chars: None,
                description: "an origin without path, such as \"https://example.com\"",
            },
            parse: |text| Ok(CanonicalOrigin::parse(text)?),
            default: None,
        };

        /// Hosts whose pages are cached; `*.` at the beginning stands for all subdomains. Requests for other hosts pass
        /// to the origin.
        hosts(hosts: impl IntoIterator<Item = impl AsRef<str>>) => HOSTS: List<String> = List {
            form: ListForm {
                max_items: MAX_HOSTS,
                item: ItemForm::Text {
                    pattern: "^(\\*\\.)?[^*/]+$",
                    max_chars: None,
                    noun: "hosts",
                    example: "[\"example.com\", \"*.example.com\"]",
                },
            },
            parse: hosts::parse,
            default: DefaultValue::Described("any host"),
        };

        /// Query parameters that make no difference where `query` is `"all"` or not set; `*` at the end stands for any
        /// ending. The default is `utm_*`, `gclid`, `fbclid` and similar parameters.
        ignore_query(names: impl IntoIterator<Item = impl AsRef<str>>) => IGNORE_QUERY: List<String> = List {
            form: ListForm {
                max_items: MAX_QUERY_NAMES,
                item: ItemForm::Text {
                    pattern: "^[^?&=#*\\s]{1,128}\\*?$",
                    max_chars: Some(MAX_QUERY_NAME_BYTES + 1),
                    noun: "parameter names",
                    example: "[\"utm_*\", \"gclid\"]",
                },
            },
            parse: query::parse_ignored,
            default: DefaultValue::Described("tracking parameters"),
        };

        /// Headers that authenticate requests and that `render_headers` may contain.
        render_sensitive_headers(names: impl IntoIterator<Item = impl AsRef<str>>) =>
            RENDER_SENSITIVE_HEADERS: List<&'static str> = List {
                form: ListForm { max_items: SENSITIVE_HEADERS.len(), item: ItemForm::Word(&SENSITIVE_HEADERS) },
                parse: sensitive_headers::parse,
                default: DefaultValue::EmptyList,
            };

        /// Whether a cache of the platform is downstream. Responses then tell it what to keep, and invalidations purge
        /// it; see docs/platform-cache.md.
        platform_cache(is_downstream: bool) => PLATFORM_CACHE: Flag = Flag { default: false };

        /// Zone whose cache is purged of invalidated pages.
        zone_purge(zone: &str) => ZONE_PURGE: Text<ZoneId> = Text {
            form: TextForm {
                words: &[],
                patterns: &["^[0-9A-Fa-f]{32}$"],
                max_chars: None,
                description: "the id of a zone, 32 hexadecimal digits",
            },
            parse: ZoneId::parse,
            default: None,
        };

        /// Webhooks: calls of a CMS or another system that invalidate pages, at `/__isr/hooks/<name>`; see
        /// docs/webhooks.md.
        webhooks() => WEBHOOKS: Table = Table { accepts: ValueKind::Webhooks, default: DefaultValue::None };

        /// Routes, whose pages are cached.
        routes() => ROUTES: Table = Table { accepts: ValueKind::Routes, default: DefaultValue::Required };
    }

    in [Route], set by [RouteBuilder] {
        /// Statuses that are stored.
        statuses() => STATUSES: Custom<Statuses> = Custom {
            accepts: ValueKind::Statuses,
            default: DefaultValue::Numbers(&crate::semantics::statuses::DEFAULT),
            read: statuses::read,
        };

        /// Tags of every page of the route.
        tags(tags: impl IntoIterator<Item = impl AsRef<str>>) => TAGS: List<Tag> = List {
            form: ListForm {
                max_items: MAX_TAGS_PER_ROUTE,
                item: ItemForm::Text {
                    pattern: "^[^,\\s\\u0000-\\u001f\\u007f]([^,\\u0000-\\u001f\\u007f]*[^,\\s\\u0000-\\u001f\\u007f])?$",
                    max_chars: Some(MAX_TAG_BYTES),
                    noun: "tags",
                    example: "[\"blog\", \"news\"]",
                },
            },
            parse: |text| Ok(Tag::parse(text)?),
            default: DefaultValue::EmptyList,
        };

        /// Number of coordinators that share the route's pages.
        shards(coordinators: u16) => SHARDS: Objects = Objects { max: 256, default: 1 };

        // SQLite could hold far more. From here on, counting the pages for an inspection and listing them for an eager
        // refresh take seconds.
        /// Maximum number of pages in each coordinator, each variant counted separately. A full coordinator
        /// admits a page when it is requested again, in place of one that is requested less; other requests pass to the
        /// origin and are not cached.
        max_pages(pages: u32) => MAX_PAGES: Count =
            Count { unit: Unit::Pages, min: 1, max: 1_000_000, default: 100_000 };

        /// Query parameters that are part of a page's key. A render contains no others. Without this setting, requests
        /// for a route that ends in `*` pass to the origin if they have parameters other than those of `ignore_query`.
        query() => QUERY: Custom<Query> = Custom {
            accepts: ValueKind::Query(query::FORM),
            default: DefaultValue::Described("none"),
            read: query::read,
        };

        /// Properties of a request that select one of several variants of a page.
        vary() => VARY: Table = Table { accepts: ValueKind::Vary, default: DefaultValue::None };
    }

    in [Vary], set by [VaryBuilder] {
        /// Languages. The best match of `Accept-Language` is used, otherwise the first.
        language(tags: impl IntoIterator<Item = impl AsRef<str>>) => LANGUAGE: List<LanguageTag> = List {
            form: ListForm {
                max_items: MAX_VALUES,
                item: ItemForm::Text {
                    pattern: "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$",
                    max_chars: None,
                    noun: "language tags",
                    example: "[\"en\", \"de-AT\"]",
                },
            },
            parse: vary_values::language,
            default: DefaultValue::None,
        };

        /// Media types, such as HTML for browsers and Markdown for agents. The best match of `Accept` is used, otherwise
        /// the first.
        accept(types: impl IntoIterator<Item = impl AsRef<str>>) => ACCEPT: List<MediaType> = List {
            form: ListForm {
                max_items: MAX_VALUES,
                item: ItemForm::Text {
                    pattern: "^[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+$",
                    max_chars: Some(MAX_MEDIA_TYPE_BYTES),
                    noun: "media types",
                    example: "[\"text/html\", \"text/markdown\"]",
                },
            },
            parse: vary_values::media_type,
            default: DefaultValue::None,
        };

        /// Classes of devices, by `CF-Device-Type`, client hint or `User-Agent`. The first stands for those that are
        /// not listed.
        device(classes: impl IntoIterator<Item = impl AsRef<str>>) => DEVICE: List<Device> = List {
            form: ListForm { max_items: Device::WORDS.len(), item: ItemForm::Word(&Device::WORDS) },
            parse: vary_values::device,
            default: DefaultValue::None,
        };

        /// Countries. All others share one variant.
        country(codes: impl IntoIterator<Item = impl AsRef<str>>) => COUNTRY: List<String> = List {
            form: ListForm {
                max_items: MAX_VALUES,
                item: ItemForm::Text {
                    pattern: "^[A-Z]{2}$",
                    max_chars: None,
                    noun: "countries",
                    example: "[\"DE\", \"AT\"]",
                },
            },
            parse: vary_values::country,
            default: DefaultValue::None,
        };

        /// Cookies and their values. Any other value has the same effect as no cookie.
        cookie() => COOKIE: Custom<BTreeMap<String, Vec<String>>> = Custom {
            accepts: ValueKind::ValuesByName { example: "{ theme = [\"dark\", \"light\"] }" },
            default: DefaultValue::None,
            read: vary_values::cookies,
        };

        /// Request headers and their values. Any other value has the same effect as no header.
        header() => HEADER: Custom<BTreeMap<String, Vec<String>>> = Custom {
            accepts: ValueKind::ValuesByName { example: "{ X-Ab-Test = [\"a\", \"b\"] }" },
            default: DefaultValue::None,
            read: vary_values::headers,
        };
    }

    in [Webhook], set by [WebhookBuilder] {
        /// How the sender proves that it knows the secret.
        scheme() => SCHEME: Custom<Scheme> = Custom {
            accepts: ValueKind::Word(&Scheme::WORDS),
            default: DefaultValue::Required,
            read: webhooks::scheme,
        };

        /// Name of the Worker's secret that the sender shares.
        secret() => SECRET: Custom<String> = Custom {
            accepts: ValueKind::Text(TextForm {
                words: &[],
                patterns: &["^[A-Za-z_][A-Za-z0-9_]*$"],
                max_chars: Some(MAX_BINDING_NAME_CHARS),
                description: "letters, digits or `_`: the name of a secret, such as \"CMS_SECRET\"",
            }),
            default: DefaultValue::Required,
            read: webhooks::secret,
        };

        /// JSON pointer to the delivery's id in the body, for senders that do not send it in a header. A repeated delivery
        /// invalidates nothing again.
        delivery_id() => DELIVERY_ID: Custom<Pointer> = Custom {
            accepts: ValueKind::Text(TextForm {
                words: &[],
                patterns: &["^/"],
                max_chars: Some(MAX_TEMPLATE_BYTES),
                description: "a JSON pointer, such as \"/webhook_call_id\"",
            }),
            default: DefaultValue::None,
            read: webhooks::pointer,
        };

        /// Rules, all of which are applied to each delivery.
        rules() => RULES: Table = Table { accepts: ValueKind::Rules, default: DefaultValue::Required };
    }

    in [Rule], set by [RuleBuilder] {
        /// Conditions, all of which must hold: a JSON pointer into the body, and the values that it may have.
        when() => WHEN: Custom<Vec<Condition>> = Custom {
            accepts: ValueKind::Conditions,
            default: DefaultValue::None,
            read: webhooks::conditions,
        };

        /// Invalidates these paths. `{/pointer}` stands for the value at this place of the body, and for each item of a list.
        path() => PATH: Texts<Template> = Texts { form: TEMPLATES, parse: webhooks::template };

        /// Invalidates these paths and all below them.
        prefix() => PREFIX: Texts<Template> = Texts { form: TEMPLATES, parse: webhooks::template };

        /// Invalidates the routes with these patterns.
        route() => ROUTE: Texts<Template> = Texts { form: TEMPLATES, parse: webhooks::template };

        /// Invalidates all pages with these tags.
        tag() => TAG: Texts<Template> = Texts { form: TEMPLATES, parse: webhooks::template };

        /// Invalidates all pages.
        everything(is_invalidated: bool) => EVERYTHING: Flag = Flag { default: false };

        /// The effect on the pages.
        mode(mode: Mode) => MODE: Word<Mode> =
            Word { words: &Mode::WORDS, parse: Mode::parse, default: Mode::Expire.as_str() };

        /// When the pages are rendered again.
        refresh(refresh: Refresh) => REFRESH: Word<Refresh> =
            Word { words: &Refresh::WORDS, parse: Refresh::parse, default: Refresh::Lazy.as_str() };
    }
}

/// The form of the templates of a rule.
const TEMPLATES: ListForm = ListForm {
    max_items: webhooks::MAX_TEMPLATES,
    item: ItemForm::Text {
        pattern: "^([^{}]|\\{(/[^{}]*)?\\})+$",
        max_chars: Some(MAX_TEMPLATE_BYTES),
        noun: "templates",
        example: "\"post:{/entry/id}\"",
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_kv_is_documented() {
        assert!(MAX_BODY_BYTES.setting.documentation().contains(&KV_MAX_BODY_BYTES.to_string()));
    }

    #[test]
    fn names_are_unique() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            assert!(!SETTINGS[..at].iter().any(|other| other.name == setting.name), "{}", setting.name);
        }
    }

    #[test]
    fn settings_describe_themselves() {
        let described = |setting: Setting| (setting.default_text(), setting.accepts());
        for (setting, default, accepts) in [
            (EXPIRE.setting, "`604800`", "whole seconds from 0 to 31536000"),
            (STALE_IF_ERROR.setting, "as `expire`", "whole seconds from 0 to 31536000"),
            (
                NOT_FOUND_REVALIDATE.setting,
                "as `revalidate`, at most 60",
                "whole seconds from 1 to 31536000, `false` (never ages) or 0 (never stored)",
            ),
            (
                STATUSES.setting,
                "`[200, 203, 301, 308, 404, 410]`",
                "a list of at least one of 200, 203, 300, 301, 302, 303, 307, 308, 404, 410, 414, 451",
            ),
            (CACHE_NAME.setting, "`\"cloudflare-isr\"`", "1 to 64 letters, digits, `.`, `_` or `-`"),
            (MAX_BODY_BYTES.setting, "`10485760`", "a whole number from 1 to 33554432"),
            (EXPOSE_HEADERS.setting, "`true`", "`true` or `false`"),
            (TRAILING_SLASH.setting, "`\"keep\"`", "\"strip\", \"keep\" or \"redirect\""),
            (DEVICE.setting, "none", "a list of any of \"desktop\", \"mobile\" or \"tablet\""),
            (QUERY.setting, "none", "at most 32 parameter names, such as [\"page\"], or \"all\" or \"none\""),
            (ROUTES.setting, "required", "1 to 500 tables, such as [vars.ISR.routes.\"/blog/[slug]\"]"),
        ] {
            assert_eq!(described(setting), (default.to_owned(), accepts.to_owned()));
        }
        assert_eq!((TrailingSlash::default(), L2Kind::default()), (TrailingSlash::DEFAULT, L2Kind::DEFAULT));
        assert_eq!(FeedMode::default(), FeedMode::DEFAULT);
        assert_eq!((SetCookie::default(), HttpRules::default()), (SetCookie::DEFAULT, HttpRules::DEFAULT));
    }
}
