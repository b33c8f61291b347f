//! One compiled copy of `Client::for_each_shown_at` for the whole module: a copy for each caller made it 4 KB larger.

use crate::client::Client;
use crate::interpolation::ShownEntity;
use tickwire_sync::{KindId, ViewTick};

/// Calls `show` for every entity of a kind at `view`.
pub(super) fn for_each_shown(
    client: &Client,
    view: ViewTick,
    kind: KindId,
    show: &mut dyn FnMut(ShownEntity<'_>),
) {
    client.for_each_shown_at(view, Some(kind), show);
}
