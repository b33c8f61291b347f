"""Tests of the dashboard: every query, asked of a real Prometheus that scrapes a real server under bots in a cluster of one, has an answer.

In: the dashboard, and the address of Prometheus (PROMETHEUS), which has scraped for a while. Out: a result like that of any test. Run by check.sh.
"""

import json
import math
import os
import pathlib
import re
import time
import unittest
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
DASHBOARD = json.loads((HERE / "dashboards" / "tickwire.json").read_text())
PROMETHEUS = os.environ["PROMETHEUS"]
# A slow, busy machine.
PATIENCE_SECONDS = 90
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(path, **parameters):
    with OPENER.open(f"{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
        return json.load(answer)["data"]


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def filled_in(expression):
    """The expression as Grafana asks it with all servers chosen, in a window that a short run has."""
    return expression.replace("$instance", ".*").replace("$__rate_interval", "20s")


def queries_without_answer():
    empty = []
    for panel in panels():
        for target in panel["targets"]:
            result = ask("query", query=filled_in(target["expr"]))["result"]
            numbers = [float(sample["value"][1]) for sample in result]
            if all(math.isnan(number) for number in numbers):
                empty.append(f"{panel['title']}: {target['expr']}")
    return empty


class Dashboard(unittest.TestCase):
    def test_every_query_has_an_answer(self):
        # A rate has none before something was scraped twice, and a quantile none before something happened in between.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (empty := queries_without_answer()) and time.monotonic() < deadline:
            time.sleep(0.5)
        self.assertEqual(empty, [])

    def test_legends_name_labels_that_there_are(self):
        for panel in panels():
            for target in panel["targets"]:
                for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                    for sample in ask("query", query=filled_in(target["expr"]))["result"]:
                        self.assertIn(label, sample["metric"], f"{panel['title']}: {target['expr']}")

    def test_every_metric_of_the_server_is_on_the_dashboard(self):
        names = {name for name in ask("label/__name__/values") if name.startswith("tickwire_")}
        bases = {re.sub("_(bucket|sum|count)$", "", name) for name in names}
        shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
        missing = {base for base in bases if base not in shown}
        # What only some servers use, or what says the same as something that is there.
        self.assertEqual(missing - NOT_SHOWN, set())

    def test_a_query_without_an_answer_would_be_noticed(self):
        self.assertEqual(ask("query", query="tickwire_no_such_metric")["result"], [])

    def test_panels_do_not_overlap(self):
        cells = set()
        for panel in DASHBOARD["panels"]:
            at = panel["gridPos"]
            own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(own & cells, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            cells |= own
        numbers = [panel["id"] for panel in DASHBOARD["panels"]]
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_instances_can_be_chosen(self):
        variable = next(v for v in DASHBOARD["templating"]["list"] if v["name"] == "instance")
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
        self.assertTrue(ask("series", **{"match[]": metric})[0][label])


NOT_SHOWN = {
    "tickwire_agones_calls_total",
    "tickwire_checkpoint_bytes_total",
    "tickwire_cluster_bus_messages_total",
    "tickwire_cluster_bus_missed_total",
    "tickwire_cluster_bytes_total",
    "tickwire_cluster_hop_seconds",
    "tickwire_cluster_stream_resets_total",
    "tickwire_moderation_total",
    "tickwire_reservations_total",
    "tickwire_room_lists_total",
    "tickwire_rooms_restored_total",
}

if __name__ == "__main__":
    unittest.main()
