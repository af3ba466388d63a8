//! A distribution of latencies in a record: a few percentiles for whoever reads JSON, and the whole histogram in
//! `HdrHistogram`'s own compressed form (V2, deflate, base64), which its tools on other systems read too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as HdrReader, Serializer as _, V2DeflateSerializer};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Latencies in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency(pub Histogram<u64>);

/// As it lies in JSON; only `hdr` is read back.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    count: u64,
    #[serde(default)]
    p50_us: u64,
    #[serde(default)]
    p99_us: u64,
    #[serde(default)]
    p999_us: u64,
    #[serde(default)]
    max_us: u64,
    hdr: String,
}

impl Latency {
    /// Takes in another's values. Both must have the same bounds, as all of one measure have.
    pub fn absorb(&mut self, other: &Self) {
        self.0.add(&other.0).expect("histograms of equal bounds add up");
    }

    /// The value that so large a share of all values does not exceed, in milliseconds; absent if there is no value.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile) as f64 / 1_000.0)
    }

    /// The largest value, in milliseconds.
    pub fn max_ms(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.max() as f64 / 1_000.0)
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes).map_err(S::Error::custom)?;
        let at = |quantile| self.0.value_at_quantile(quantile);
        let stored = Stored {
            count: self.0.len(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.0.max(),
            hdr: STANDARD.encode(bytes),
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let bytes = STANDARD.decode(stored.hdr).map_err(D::Error::custom)?;
        let read = HdrReader::new().deserialize(&mut bytes.as_slice());
        read.map(Self).map_err(|err| D::Error::custom(format!("no histogram: {err}")))
    }
}
