//! The table `vary` of a route: the properties of a request that select one of several variants of a page.

use super::reader::Reader;
use super::setting::SettingLevel;
use super::settings::{ACCEPT, COOKIE, COUNTRY, DEVICE, HEADER, LANGUAGE, VARY};
use super::value_error::ValueError;
use crate::semantics::vary::{MAX_VARIANTS, Vary};

/// Reads the table `vary`.
pub(super) fn read(route: &mut Reader<'_, '_>) -> Option<Vary> {
    let setting = &VARY.setting;
    let value = route.get(setting)?;
    let path = route.path_of(setting);
    let mut table = route.child(path.clone(), SettingLevel::Vary, value)?;
    let vary = Vary {
        languages: LANGUAGE.read(&mut table).unwrap_or_default(),
        media_types: ACCEPT.read(&mut table).unwrap_or_default(),
        devices: DEVICE.read(&mut table).unwrap_or_default(),
        countries: COUNTRY.read(&mut table).unwrap_or_default(),
        cookies: COOKIE.read(&mut table).unwrap_or_default(),
        headers: HEADER.read(&mut table).unwrap_or_default(),
    };
    if vary.count() > MAX_VARIANTS {
        route.report_value(path, setting, value, ValueError::TooManyVariants { variants: vary.count() });
        return None;
    }
    Some(vary)
}
