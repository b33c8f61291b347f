//! Named links: what the lines of players are like, by what they have at home or on the road.
//!
//! In: a name. Out: the path to emulate, each way. The figures are those of a server in the player's own region, but for `transatlantic`.

use clap::ValueEnum;
use std::time::Duration;
use tickwire_client::native::PathSettings;

/// Names of the links.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LinkName {
    /// The same building, by cable.
    Lan,
    /// Fibre to the home, by cable to the router.
    Fibre,
    /// A television cable (DOCSIS), by cable to the modem.
    Cable,
    /// Fibre, with a good wireless network behind it.
    Wifi,
    /// Fibre, with a crowded or distant wireless network behind it.
    BadWifi,
    /// A phone on LTE, at rest.
    #[value(name = "4g")]
    FourG,
    /// Fibre, and a server on the other side of the Atlantic.
    Transatlantic,
}

impl LinkName {
    /// The path that the link emulates, each way.
    ///
    /// - `lan`: two switches and the hosts' own work.
    /// - `fibre`: 300 km at 2.1 times the light's time in glass (Bozkurt et al., "Dissecting Latency in the Internet's Fiber
    ///   Infrastructure", 2018) are 3.2 ms; the rest is the access network.
    /// - `cable`: as fibre, and 2 to 8 ms in which a DOCSIS modem asks for a turn to send (CableLabs, "Low Latency DOCSIS: Technology
    ///   Overview", 2019), half of them each way, as the emulation is the same in both directions.
    /// - `wifi`: as fibre, and a wireless hop of 3 ms in the median, 20 ms at the 90th percentile and 250 ms at the 99th (Sui et al.,
    ///   "Characterizing and Improving WiFi Latency in Large-Scale Operational Networks", MobiSys 2016). The jitter is the part below
    ///   the 90th percentile, stalls are what is above.
    /// - `bad-wifi`: as fibre, and a hop of more than 20 ms for half of the packets and more than 100 ms for a tenth (Pei et al., "WiFi Can
    ///   Be the Weakest Link of Round Trip Network Latency in the Wild", INFOCOM 2016).
    /// - `4g`: round trips of 42 to 60 ms (Ofcom, "Measuring mobile broadband performance in the UK", 2015: 53 ms; OpenSignal, "State of
    ///   Mobile Networks: UK", April 2017: 42 ms). The jitter is the 8 ms of a retransmission of the radio layer (HARQ) and one more;
    ///   a stall is a change of cell.
    /// - `transatlantic`: 5,570 km from London to New York are 27 ms in glass; cables and networks make it 1.4 times as much; and fibre at the
    ///   player's end.
    ///
    /// Rates of stalls are chosen, not measured, but for those of wireless networks: a lost packet in ten minutes on fibre, and in a minute or two where
    /// more is lost.
    #[must_use]
    pub fn path(self) -> PathSettings {
        let (latency_us, jitter_us, stall) = match self {
            Self::Lan => (200, 100, 0.0),
            Self::Fibre => (4_000, 500, 0.002),
            Self::Cable => (7_000, 3_000, 0.01),
            Self::Wifi => (6_000, 5_000, 0.03),
            Self::BadWifi => (15_000, 15_000, 0.3),
            Self::FourG => (25_000, 12_000, 0.05),
            Self::Transatlantic => (42_000, 2_000, 0.01),
        };
        PathSettings {
            latency: Duration::from_micros(latency_us),
            jitter: Duration::from_micros(jitter_us),
            stall,
        }
    }

    /// The name on the command line and in a scenario.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Fibre => "fibre",
            Self::Cable => "cable",
            Self::Wifi => "wifi",
            Self::BadWifi => "bad-wifi",
            Self::FourG => "4g",
            Self::Transatlantic => "transatlantic",
        }
    }
}

/// A link: a named one, none, or either with fields of its own.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Link {
    pub name: Option<LinkName>,
    pub latency: Option<Duration>,
    pub jitter: Option<Duration>,
    pub stall: Option<f64>,
}

impl Link {
    /// The path, each way: of the named link what nothing else says.
    pub fn path(self) -> PathSettings {
        let named = self.name.map(LinkName::path).unwrap_or_default();
        PathSettings {
            latency: self.latency.unwrap_or(named.latency),
            jitter: self.jitter.unwrap_or(named.jitter),
            stall: self.stall.unwrap_or(named.stall),
        }
    }

    /// The link's name for reports: empty without a line, `custom` for one without a name.
    pub fn label(self) -> &'static str {
        match self.name {
            Some(name) => name.as_str(),
            None if self == Self::default() => "",
            None => "custom",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_the_names_of_the_command_line() {
        for link in LinkName::value_variants() {
            let value = link.to_possible_value().unwrap();
            assert_eq!(value.get_name(), link.as_str());
        }
    }

    #[test]
    fn the_documentation_has_these_figures() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BOTS.md");
        let page = std::fs::read_to_string(page).unwrap();
        for link in LinkName::value_variants() {
            let path = link.path();
            let [latency, jitter] =
                [path.latency, path.jitter].map(|time| time.as_secs_f64() * 1e3);
            let (name, stall) = (link.as_str(), path.stall);
            let row = format!("| `{name}` | {latency} ms | {jitter} ms | {stall} | ");
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_field_overrides_that_of_the_named_link() {
        let link = Link {
            name: Some(LinkName::BadWifi),
            jitter: Some(Duration::from_millis(1)),
            ..Link::default()
        };
        let (path, named) = (link.path(), LinkName::BadWifi.path());
        assert_eq!(path.jitter, Duration::from_millis(1));
        assert_eq!((path.latency, path.stall), (named.latency, named.stall));
        assert_eq!(link.label(), "bad-wifi");
        assert_eq!(Link::default().path(), PathSettings::default());
    }
}
