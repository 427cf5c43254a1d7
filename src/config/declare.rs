//! The macro in which settings are declared.

/// Declares settings, in groups of those that are accepted in the same tables and have setters in the same builders:
///
/// ```text
/// in [Level, …], set by [Builder, …] {
///     /// Documentation.
///     name(argument: Type) => CONSTANT: Kind = Kind { … };
///     name() => CONSTANT: Kind = Kind { … }; // with a setter of its own in setters.rs
/// }
/// ```
///
/// Each setting becomes an immutable `static` of type `TypedSetting<Kind>`, an entry of `SETTINGS` and a setter of each
/// builder. A `const` would be copied to every place that uses it.
macro_rules! settings {
    ($(in $levels:tt, set by $builders:tt {$(
        $(#[doc = $doc:literal])+
        $name:ident $arguments:tt => $constant:ident: $kind:ty = $value:expr;
    )+})+) => {
        $($(
            $(#[doc = $doc])+
            pub(super) static $constant: TypedSetting<$kind> = {
                let kind: $kind = $value;
                TypedSetting {
                    setting: Setting {
                        name: stringify!($name),
                        levels: &$levels,
                        kind: kind.value_kind(),
                        default: kind.default_value(),
                    },
                    kind,
                }
            };
        )+)+

        /// All settings.
        pub static SETTINGS: &[&Setting] = &[$($(&$constant.setting,)+)+];

        // Not a field of `Setting`: like this, these texts are not part of a Worker's code.
        /// Name and documentation of each setting.
        const DOCUMENTATION: &[(&str, &str)] = &[$($((stringify!($name), concat!($($doc),+).trim_ascii()),)+)+];

        impl Setting {
            /// Returns what the setting does, in Markdown, with documents named like `docs/storage.md`.
            #[must_use]
            pub fn documentation(&self) -> &'static str {
                DOCUMENTATION.iter().find(|(name, _)| *name == self.name).map_or("", |(_, text)| text)
            }
        }

        $(setters! { $builders {$( {$(#[doc = $doc])+} $name $arguments $constant: $kind; )+} })+
    };
}

/// Adds the setters of a group of settings to builders.
macro_rules! setters {
    ([$($builder:ident),+] $settings:tt) => {
        $(setters! { @builder $builder $settings })+
    };
    (@builder $builder:ident {$( {$($doc:tt)+} $name:ident $arguments:tt $constant:ident: $kind:ty; )+}) => {
        impl $builder {
            $(setters! { @setter {$($doc)+} $name $arguments $constant: $kind })+
        }
    };
    (@setter {$($doc:tt)+} $name:ident () $constant:ident: $kind:ty) => {};
    (@setter {$($doc:tt)+} $name:ident ($argument:ident: $type:ty) $constant:ident: $kind:ty) => {
        #[doc = concat!("Sets `", stringify!($name), "`.\n")]
        $($doc)+
        #[must_use]
        pub fn $name(mut self, $argument: $type) -> Self {
            self.set(&$constant.setting, <$kind>::write($argument));
            self
        }
    };
}
