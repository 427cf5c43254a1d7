//! The bindings that a Worker with the cache needs.

/// A binding of the Worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// The variable with the configuration, by default `ISR`.
    Settings,
    /// The Durable Objects that own pages, class `IsrCoordinator`, by default `COORDINATOR`.
    Coordinator,
    /// The Durable Object that owns invalidations, class `IsrTagIndex`, by default `TAG_INDEX`.
    TagIndex,
    /// The KV namespace with pages, by default `ISR_CACHE`.
    Cache,
    /// The R2 bucket with pages, by default `ISR_BUCKET`.
    Bucket,
    /// The service that renders the pages of the site or of a route, by default `ORIGIN`.
    Origin,
}

impl Binding {
    /// Returns the name of the binding, unless another is configured.
    #[must_use]
    pub fn default_name(self) -> &'static str {
        match self {
            Self::Settings => "ISR",
            Self::Coordinator => "COORDINATOR",
            Self::TagIndex => "TAG_INDEX",
            Self::Cache => "ISR_CACHE",
            Self::Bucket => "ISR_BUCKET",
            Self::Origin => "ORIGIN",
        }
    }

    /// Returns the name of the optional binding for renders of a bound origin: the same service once more, so that its
    /// `props` are on renders and on nothing else.
    #[must_use]
    pub fn for_renders(origin: &str) -> String {
        format!("{origin}_RENDER")
    }

    /// Returns what kind of binding it is, in words.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Settings => "this variable",
            Self::Coordinator | Self::TagIndex => "this Durable Object binding",
            Self::Cache => "this KV binding",
            Self::Bucket => "this R2 binding",
            Self::Origin => "this service binding",
        }
    }

    /// Returns the lines to add to `wrangler.toml`, each indented by four spaces.
    pub(super) fn remedy(self, name: &str) -> String {
        let object = |class: &str| {
            format!(
                "    [[durable_objects.bindings]]\n    name = \"{name}\"\n    class_name = \"{class}\"\n\n    \
                 # once, for both classes, which the Worker's main module exports\n    [[migrations]]\n    tag = \"v1\"\n    \
                 new_sqlite_classes = [\"IsrCoordinator\", \"IsrTagIndex\"]"
            )
        };
        match self {
            Self::Settings => format!("    [vars.{name}.routes.\"/*\"]\n    revalidate = 60"),
            Self::Coordinator => object("IsrCoordinator"),
            Self::TagIndex => object("IsrTagIndex"),
            Self::Cache => format!(
                "    [[kv_namespaces]]\n    binding = \"{name}\"\n    \
                 id = \"<printed by: wrangler kv namespace create {name}>\""
            ),
            Self::Bucket => format!(
                "    [[r2_buckets]]\n    binding = \"{name}\"\n    \
                 bucket_name = \"<made by: wrangler r2 bucket create isr-pages>\""
            ),
            Self::Origin => format!(
                "    [[services]]\n    binding = \"{name}\"\n    service = \"<name of the Worker that renders the site>\"\
                 \n\n    # or, for a site that is not a Worker\n    [vars.ISR]\n    \
                 origin = \"https://site.example.com\" # or \"self\": this Worker, by a handler of its own"
            ),
        }
    }
}
