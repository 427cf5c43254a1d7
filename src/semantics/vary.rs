//! Variants of a page: the properties of a client's request, besides the URL, that may make a page different.
//!
//! A route lists the values that make a difference ([`Vary`]). Each request is mapped to one of them ([`Variant`]),
//! which is part of the page's key; a render's request contains these values and nothing else of the client. So the
//! number of variants is bounded, and the key contains exactly what `Vary` allows (RFC 9110 §12.5.5, RFC 9111 §4.1).
//! Content codings are not variants: pages are stored as identity.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::semantics::language::{self, LanguageTag};
use crate::semantics::media_type::{self, MediaType};

/// The most variants that the pages of one route may have.
pub const MAX_VARIANTS: usize = 64;

/// The request properties besides the URL that make pages of a route different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vary {
    /// Languages of the pages; the first is the default.
    pub languages: Vec<LanguageTag>,
    /// Media types of the pages; the first is the default.
    pub media_types: Vec<MediaType>,
    /// Classes of devices; the first replaces those that are not listed.
    pub devices: Vec<Device>,
    /// Countries, as two capital letters; all others count as one.
    pub countries: Vec<String>,
    /// Cookies by name, with the values that make a difference; any other value counts as none.
    pub cookies: BTreeMap<String, Vec<String>>,
    /// Request headers by name in lower case, with the values that make a difference; any other value counts as none.
    pub headers: BTreeMap<String, Vec<String>>,
}

/// A class of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// With a large screen.
    Desktop,
    /// A telephone.
    Mobile,
    /// A tablet.
    Tablet,
}

impl Device {
    /// All classes.
    pub const ALL: [Self; 3] = [Self::Desktop, Self::Mobile, Self::Tablet];

    /// Their names.
    pub const WORDS: [&'static str; 3] = [Self::Desktop.as_str(), Self::Mobile.as_str(), Self::Tablet.as_str()];

    /// Returns Cloudflare's name in `CF-Device-Type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
        }
    }

    /// Parses the result of [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|device| device.as_str() == word)
    }

    /// Returns the class of a client's device: by `CF-Device-Type`, if the zone sets it; else by the client hint for
    /// mobiles; else by known words in `User-Agent`.
    fn of(request: &impl Visitor) -> Self {
        if let Some(device) = request.header("cf-device-type").and_then(|word| Self::parse(&word)) {
            return device;
        }
        let agent = request.header("user-agent").unwrap_or_default();
        let says = |word| agent.contains(word);
        if says("iPad") || says("Tablet") || (says("Android") && !says("Mobile")) {
            Self::Tablet
        } else if request.header("sec-ch-ua-mobile").as_deref() == Some("?1") || says("Mobi") {
            Self::Mobile
        } else {
            Self::Desktop
        }
    }
}

/// The parts of a client's request that determine its variant.
pub trait Visitor {
    /// Returns the value of a request header, by its name in lower case.
    fn header(&self, name: &str) -> Option<String>;

    /// Returns the country of the request, as two capital letters, if the platform knows it.
    fn country(&self) -> Option<String>;
}

/// One variant: the chosen values by their sources. It does not contain absent values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant(Vec<(Axis, String)>);

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Axis {
    Language,
    Accept,
    Device,
    Country,
    Cookie(String),
    Header(String),
}

impl Axis {
    fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Language => Cow::Borrowed("language"),
            Self::Accept => Cow::Borrowed("accept"),
            Self::Device => Cow::Borrowed("device"),
            Self::Country => Cow::Borrowed("country"),
            Self::Cookie(name) => Cow::Owned(format!("cookie.{name}")),
            Self::Header(name) => Cow::Owned(format!("header.{name}")),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match (name, name.split_once('.')) {
            ("language", _) => Some(Self::Language),
            ("accept", _) => Some(Self::Accept),
            ("device", _) => Some(Self::Device),
            ("country", _) => Some(Self::Country),
            (_, Some(("cookie", name))) => Some(Self::Cookie(name.to_owned())),
            (_, Some(("header", name))) => Some(Self::Header(name.to_owned())),
            _ => None,
        }
    }
}

impl Vary {
    /// Returns whether pages differ by their URL alone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns how many variants a page can have. It saturates.
    #[must_use]
    pub fn count(&self) -> usize {
        let or_none = self.cookies.values().chain(self.headers.values()).map(|values| values.len() + 1);
        let countries = if self.countries.is_empty() { 1 } else { self.countries.len() + 1 };
        let fixed = [self.languages.len(), self.media_types.len(), self.devices.len()].map(|values| values.max(1));
        or_none.chain(fixed).chain([countries]).fold(1, usize::saturating_mul)
    }

    /// Maps a request to one of the variants.
    #[must_use]
    pub fn variant(&self, request: &impl Visitor) -> Variant {
        let mut chosen = Vec::new();
        if let Some(default) = self.languages.first() {
            let wanted = request.header("accept-language").unwrap_or_default();
            let language = language::negotiate(&wanted, &self.languages).unwrap_or(default);
            chosen.push((Axis::Language, language.as_str().to_owned()));
        }
        if let Some(default) = self.media_types.first() {
            let wanted = request.header("accept").unwrap_or_default();
            let media_type = media_type::negotiate(&wanted, &self.media_types).unwrap_or(default);
            chosen.push((Axis::Accept, media_type.as_str().to_owned()));
        }
        if let Some(default) = self.devices.first() {
            let device = Some(Device::of(request)).filter(|device| self.devices.contains(device)).unwrap_or(*default);
            chosen.push((Axis::Device, device.as_str().to_owned()));
        }
        let country = if self.countries.is_empty() { None } else { request.country() };
        let country = country.filter(|country| self.countries.contains(country));
        chosen.extend(country.map(|country| (Axis::Country, country)));
        if !self.cookies.is_empty() {
            let sent = request.header("cookie").unwrap_or_default();
            let cookies = self.cookies.iter().filter_map(|(name, values)| {
                let value = cookie(&sent, name).filter(|value| values.iter().any(|known| known == value))?;
                Some((Axis::Cookie(name.clone()), value.to_owned()))
            });
            chosen.extend(cookies);
        }
        chosen.extend(self.headers.iter().filter_map(|(name, values)| {
            let sent = request.header(name)?;
            let value = values.iter().find(|known| *known == sent.trim())?;
            Some((Axis::Header(name.clone()), value.clone()))
        }));
        Variant(chosen)
    }

    /// Returns the request headers that select a variant, by name in lower case, besides the client's country. If texts
    /// come with a name, a value that contains none of them counts as none.
    pub fn sources(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        const FIXED: [&str; 5] = ["accept-language", "accept", "cf-device-type", "sec-ch-ua-mobile", "user-agent"];
        let fixed = FIXED.into_iter().filter(|name| self.covers(name)).map(|name| (name, Vec::new()));
        let names: Vec<&str> = self.cookies.keys().map(String::as_str).collect();
        let cookie = (!names.is_empty()).then_some(("cookie", names));
        // A header that is listed by name may be one of the others.
        let is_other = |name: &&str| !FIXED.contains(name) && *name != "cookie";
        let listed = self.headers.keys().map(String::as_str).filter(is_other).map(|name| (name, Vec::new()));
        fixed.chain(cookie).chain(listed)
    }

    /// Returns whether a request header is part of the key, by its name in lower case.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        match name {
            "accept" => !self.media_types.is_empty(),
            "accept-language" => !self.languages.is_empty(),
            "user-agent" | "sec-ch-ua-mobile" | "cf-device-type" => !self.devices.is_empty(),
            "cf-ipcountry" => !self.countries.is_empty(),
            "cookie" => !self.cookies.is_empty(),
            name => self.headers.contains_key(name),
        }
    }

    /// Returns the `Vary` header for caches between this one and the clients (RFC 9110 §12.5.5), with the headers by
    /// which some requests pass to the origin. The country is not in any header of the request: then it is `*`.
    #[must_use]
    pub fn field<'a>(&'a self, passing: impl Iterator<Item = &'a str>) -> Option<String> {
        if !self.countries.is_empty() {
            return Some("*".to_owned());
        }
        let language = (!self.languages.is_empty()).then_some("accept-language");
        let accept = (!self.media_types.is_empty()).then_some("accept");
        let device = (!self.devices.is_empty()).then_some("user-agent, sec-ch-ua-mobile");
        let cookie = (!self.cookies.is_empty()).then_some("cookie");
        let fixed = language.into_iter().chain(accept).chain(device).chain(cookie);
        let mut names: Vec<&str> = fixed.chain(self.headers.keys().map(String::as_str)).collect();
        for name in passing {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() { None } else { Some(names.join(", ")) }
    }
}

impl Variant {
    /// Returns whether no value is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the variant in its form for a key: `language=de&cookie.theme=dark`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let pairs = self.0.iter().map(|(axis, value)| (axis.name(), value));
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// Parses the result of [`Self::to_text`]; ignores everything else.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        Self(pairs.filter_map(|(name, value)| Some((Axis::parse(&name)?, value.into_owned()))).collect())
    }

    /// Returns the request headers of a render of this variant, names in lower case.
    #[must_use]
    pub fn request_headers(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut cookies = Vec::new();
        for (axis, value) in &self.0 {
            match axis {
                Axis::Language => headers.push(("accept-language".to_owned(), value.clone())),
                Axis::Accept => headers.push(("accept".to_owned(), value.clone())),
                Axis::Device => headers.push(("cf-device-type".to_owned(), value.clone())),
                Axis::Country => headers.push(("cf-ipcountry".to_owned(), value.clone())),
                Axis::Cookie(name) => cookies.push(format!("{name}={value}")),
                Axis::Header(name) => headers.push((name.clone(), value.clone())),
            }
        }
        if !cookies.is_empty() {
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        headers
    }
}

/// Returns the value of the first cookie of a name (RFC 6265 §4.2.1).
pub(crate) fn cookie<'a>(sent: &'a str, name: &str) -> Option<&'a str> {
    sent.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sent(&'static [(&'static str, &'static str)], Option<&'static str>);

    impl Visitor for Sent {
        fn header(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(sent, _)| *sent == name).map(|(_, value)| (*value).to_owned())
        }

        fn country(&self) -> Option<String> {
            self.1.map(str::to_owned)
        }
    }

    fn all() -> Vary {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        Vary {
            languages: ["en", "de"].map(|tag| LanguageTag::parse(tag).unwrap()).into(),
            media_types: Vec::new(),
            devices: vec![Device::Desktop, Device::Mobile],
            countries: values(&["DE", "AT"]),
            cookies: [("theme".to_owned(), values(&["dark", "light"]))].into(),
            headers: [("x-ab".to_owned(), values(&["a", "b"]))].into(),
        }
    }

    #[test]
    fn a_request_is_brought_down_to_one_of_the_listed_variants() {
        const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148";
        for (sent, text) in [
            (Sent(&[], None), "language=en&device=desktop"),
            (Sent(&[("accept-language", "fr, de-AT;q=0.7")], Some("FR")), "language=de&device=desktop"),
            (Sent(&[("user-agent", PHONE)], Some("AT")), "language=en&device=mobile&country=AT"),
            (Sent(&[("sec-ch-ua-mobile", "?1")], None), "language=en&device=mobile"),
            (Sent(&[("user-agent", "Mozilla/5.0 (iPad)")], None), "language=en&device=desktop"),
            (Sent(&[("cf-device-type", "mobile"), ("user-agent", "curl")], None), "language=en&device=mobile"),
            (Sent(&[("cf-device-type", "toaster")], None), "language=en&device=desktop"),
            (
                Sent(&[("cookie", "session=secret; theme=dark; theme=light"), ("x-ab", " b ")], None),
                "language=en&device=desktop&cookie.theme=dark&header.x-ab=b",
            ),
            (Sent(&[("cookie", "mytheme=dark; theme=\"dark\""), ("x-ab", "a, b")], None), "language=en&device=desktop"),
        ] {
            let variant = all().variant(&sent);
            assert_eq!(variant.to_text(), text);
            assert_eq!(Variant::from_text(text), variant);
        }
        assert!(Vary::default().variant(&Sent(&[("cookie", "theme=dark")], Some("DE"))).is_empty());
        assert_eq!((all().count(), Vary::default().count()), (2 * 2 * 3 * 3 * 3, 1));
    }

    #[test]
    fn the_site_is_asked_for_the_variant_and_nothing_else() {
        let sent =
            Sent(&[("cookie", "session=secret; theme=dark"), ("x-ab", "b"), ("accept-language", "de")], Some("DE"));
        let headers = all().variant(&sent).request_headers();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("accept-language", "de"),
            ("cf-device-type", "desktop"),
            ("cf-ipcountry", "DE"),
            ("x-ab", "b"),
            ("cookie", "theme=dark"),
        ];
        assert_eq!(headers, expected);
        assert_eq!(Variant::default().request_headers(), []);
    }

    #[test]
    fn a_media_type_is_negotiated_and_asked_for() {
        let media_types = ["text/html", "text/markdown"].map(|text| MediaType::parse(text).unwrap()).into();
        let vary = Vary { media_types, ..Vary::default() };
        for (sent, text, accept) in [
            (Sent(&[], None), "accept=text%2Fhtml", "text/html"),
            (Sent(&[("accept", "text/html,*/*;q=0.8")], None), "accept=text%2Fhtml", "text/html"),
            (Sent(&[("accept", "text/markdown, */*;q=0.1")], None), "accept=text%2Fmarkdown", "text/markdown"),
            (Sent(&[("accept", "image/png")], None), "accept=text%2Fhtml", "text/html"),
        ] {
            let variant = vary.variant(&sent);
            assert_eq!((variant.to_text().as_str(), Variant::from_text(text)), (text, variant.clone()));
            assert_eq!(variant.request_headers(), [("accept".to_owned(), accept.to_owned())]);
        }
        assert_eq!((vary.count(), vary.covers("accept"), Vary::default().covers("accept")), (2, true, false));
        assert_eq!(vary.field([].into_iter()), Some("accept".to_owned()));
    }

    #[test]
    fn a_header_is_covered_by_what_is_in_the_key() {
        let none = Vary::default();
        for (name, by_all) in [
            ("accept-language", true),
            ("cookie", true),
            ("x-ab", true),
            ("user-agent", true),
            ("sec-ch-ua-mobile", true),
            ("cf-ipcountry", true),
            ("x-other", false),
            ("authorization", false),
            ("accept", false),
            ("*", false),
        ] {
            assert_eq!((none.covers(name), all().covers(name)), (false, by_all), "{name}");
        }
    }

    #[test]
    fn caches_between_are_told_what_matters() {
        let none = Vary::default();
        let field = |vary: &Vary, passing: &[&'static str]| vary.field(passing.iter().copied());
        assert_eq!((field(&none, &[]), field(&all(), &["cookie"])), (None, Some("*".to_owned())));
        let plain = Vary { countries: vec![], ..all() };
        let own = "accept-language, user-agent, sec-ch-ua-mobile, cookie, x-ab";
        assert_eq!(field(&plain, &["cookie"]), Some(own.to_owned()));
        assert_eq!(field(&plain, &["origin", "cookie"]), Some(format!("{own}, origin")));
        assert_eq!(field(&none, &["cookie", "rsc"]), Some("cookie, rsc".to_owned()));
    }
}
