//! The files of a new project, from the templates beside this file.

use serde_json::json;

/// A file of the project: its path and its text.
type File = (&'static str, String);

/// The site behind the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// An example, which is written as well.
    Example,
    /// A Worker of this name.
    Worker(String),
    /// A site by URL.
    Url(String),
}

/// A new project.
pub(super) struct Project {
    /// The name of the Worker with the cache.
    pub(super) name: String,
    /// The site behind it.
    pub(super) site: Site,
    /// What npm installs as cloudflare-isr.
    pub(super) package: String,
}

impl Project {
    /// Returns the files.
    pub(super) fn files(&self) -> Vec<File> {
        let gateway = include_str!("templates/gateway/wrangler.toml").replace("{{name}}", &self.name);
        let mut files = vec![
            ("package.json", self.manifest()),
            (".gitignore", include_str!("templates/gitignore").to_owned()),
            ("gateway/index.js", include_str!("templates/gateway/index.js").to_owned()),
            ("gateway/wrangler.toml", self.with_site(&gateway)),
        ];
        if let (Site::Example, Some(service)) = (&self.site, self.service()) {
            let site = include_str!("templates/site/wrangler.toml").replace("{{name}}", &self.name);
            files.push(("site/index.js", include_str!("templates/site/index.js").to_owned()));
            files.push(("site/wrangler.toml", site.replace("{{service}}", &service)));
        }
        files
    }

    /// Returns the name of the site's Worker.
    fn service(&self) -> Option<String> {
        match &self.site {
            Site::Example => Some(format!("{}-site", self.name)),
            Site::Worker(name) => Some(name.clone()),
            Site::Url(_) => None,
        }
    }

    /// Fills in the site: a paragraph of the template is for a Worker, and two lines are for a URL.
    fn with_site(&self, template: &str) -> String {
        let service = include_str!("templates/gateway/service.toml");
        let origin = include_str!("templates/gateway/origin.toml");
        let (service, origin) = match (self.service(), &self.site) {
            (_, Site::Url(url)) => (String::new(), origin.replace("{{origin}}", url)),
            (name, _) => (service.replace("{{service}}", &name.unwrap_or_default()), String::new()),
        };
        template.replace("{{service}}", &service).replace("{{origin}}", &origin)
    }

    fn manifest(&self) -> String {
        let is_example = self.site == Site::Example;
        let (site, gateway) = ("-c site/wrangler.toml", "-c gateway/wrangler.toml");
        let check = "cloudflare-isr check gateway/wrangler.toml";
        // Deploys the site first, because the gateway is bound to it.
        let (dev, deploy) = if is_example {
            (
                format!("wrangler dev {gateway} {site}"),
                format!("{check} && wrangler deploy {site} && wrangler deploy {gateway}"),
            )
        } else {
            (format!("wrangler dev {gateway}"), format!("{check} && wrangler deploy {gateway}"))
        };
        let text = |text: &str| json!(text).to_string();
        include_str!("templates/package.json")
            .replace("{{name}}", &text(&self.name))
            .replace("{{dev}}", &text(&dev))
            .replace("{{deploy}}", &text(&deploy))
            .replace("{{package}}", &text(&self.package))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cloudflare_isr::internals::config::Config;
    use serde_json::Value;

    use super::*;

    fn files(site: Site) -> BTreeMap<&'static str, String> {
        let project = Project { name: "my-pages".to_owned(), site, package: "file:/a \"b\".tgz".to_owned() };
        project.files().into_iter().collect()
    }

    #[test]
    fn each_site_has_its_files() {
        let common = [".gitignore", "gateway/index.js", "gateway/wrangler.toml", "package.json"];
        let example = files(Site::Example);
        let names: Vec<&str> = example.keys().copied().collect();
        assert_eq!(names, [&common[..], &["site/index.js", "site/wrangler.toml"]].concat());
        assert!(example["gateway/wrangler.toml"].contains("\nservice = \"my-pages-site\"\n"));
        assert!(example["site/wrangler.toml"].contains("\nname = \"my-pages-site\"\n"));
        assert!(example["site/wrangler.toml"].contains("# service = \"my-pages\""));
        let manifest: Value = serde_json::from_str(&example["package.json"]).unwrap();
        assert_eq!(manifest["dependencies"]["cloudflare-isr"], "file:/a \"b\".tgz");
        assert_eq!(manifest["scripts"]["dev"], "wrangler dev -c gateway/wrangler.toml -c site/wrangler.toml");
        for (site, line) in [
            (Site::Worker("my-site".to_owned()), "service = \"my-site\""),
            (Site::Url("https://e.com".to_owned()), "origin = \"https://e.com\""),
        ] {
            let files = files(site);
            assert_eq!(files.keys().copied().collect::<Vec<_>>(), common);
            assert!(files["gateway/wrangler.toml"].contains(line), "{}", files["gateway/wrangler.toml"]);
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_the_settings_are_valid() {
        for site in [Site::Example, Site::Worker("a".to_owned()), Site::Url("https://e.com".to_owned())] {
            let files = files(site);
            assert!(files.values().all(|text| !text.contains("{{")), "{files:?}");
            let toml: Value = toml::from_str(&files["gateway/wrangler.toml"]).unwrap();
            assert!(Config::from_json(&toml["vars"]["ISR"]).is_ok());
        }
    }
}
