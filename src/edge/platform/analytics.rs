//! Workers Analytics Engine.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;

use crate::edge::platform::js::{self, AnalyticsDataset};
use crate::metrics::RequestCounts;
use crate::metrics::analytics::{DataPoint, points};

/// The name of the binding.
pub(in crate::edge) const BINDING: &str = "ISR_ANALYTICS";

/// Writes a point for each route and outcome. The platform takes points without an answer.
pub(in crate::edge) fn write(dataset: &AnalyticsDataset, counts: &RequestCounts) {
    for point in points(counts) {
        if let Err(error) = to_js(&point).and_then(|point| dataset.write_data_point(&point)) {
            return worker::console_warn!("metrics: Analytics Engine: {}", js::describe(&error));
        }
    }
}

fn to_js(DataPoint { index, blobs, doubles }: &DataPoint) -> Result<Object, JsValue> {
    let point = Object::new();
    let blobs: Array = blobs.iter().map(|blob| JsValue::from_str(blob)).collect();
    let doubles: Array = doubles.iter().map(|double| JsValue::from_f64(*double)).collect();
    Reflect::set(&point, &"indexes".into(), &Array::of1(&index.as_str().into()))?;
    Reflect::set(&point, &"blobs".into(), &blobs)?;
    Reflect::set(&point, &"doubles".into(), &doubles)?;
    Ok(point)
}
