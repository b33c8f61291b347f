"""Tests of the manifests in this folder: what Kubernetes' own schemas say, and what no schema knows.

In: tickwire.yaml, and the server's list of its flags (SERVER names the program). Out: a result like that of any test. The last test breaks the
manifests in many ways, one at a time, and wants each to be noticed. Run by check.sh.
"""

import copy
import os
import pathlib
import re
import subprocess
import unittest

import kubernetes_validate
import yaml

FILE = pathlib.Path(__file__).with_name("tickwire.yaml")
# The oldest that knows all that is used, and the newest that the validator knows.
VERSIONS = ["1.30", "1.37"]
# Seconds that a process has to end by itself after everything that it may wait for.
RESERVE = 5

# Fields that take one of some words, which the schemas call any text.
WORDS = {
    "pathType": {"Exact", "Prefix", "ImplementationSpecific"},
    "podManagementPolicy": {"OrderedReady", "Parallel"},
    "unhealthyPodEvictionPolicy": {"IfHealthyBudget", "AlwaysAllow"},
    "whenUnsatisfiable": {"DoNotSchedule", "ScheduleAnyway"},
}


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that is written twice, as Kubernetes does. The second one would silently win."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubles = {key for key in keys if keys.count(key) > 1}
        if doubles:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {doubles}", node.start_mark)
        return super().construct_mapping(node, deep)


def read(text):
    return [document for document in yaml.load_all(text, Loader=StrictLoader) if document]


def schema_problems(document, versions=VERSIONS):
    """What Kubernetes' schemas say. A kind or version that they do not know is a problem too, and so is an unknown field."""
    problems = []
    for version in versions:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(map(str, error.absolute_path))
            problems.append(f"{document['kind']}, {version}: {path}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            problems.append(error.message)
    return problems + word_problems(document)


def word_problems(part):
    """Words that Kubernetes does not know, anywhere in a document."""
    if isinstance(part, list):
        return [problem for item in part for problem in word_problems(item)]
    if not isinstance(part, dict):
        return []
    problems = [f"{key}: {part[key]} is not one of {sorted(words)}" for key, words in WORDS.items() if part.get(key, min(words)) not in words]
    return problems + [problem for item in part.values() for problem in word_problems(item)]


def seconds(flag):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", flag).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


class Manifests:
    """The documents by kind, and the parts of the pod that others name."""

    def __init__(self, documents):
        self.all = documents
        self.set = self.of_kind("StatefulSet")[0]
        self.pod = self.set["spec"]["template"]
        self.container = self.pod["spec"]["containers"][0]
        self.ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.flags = dict(flag.removeprefix("--").split("=", 1) for flag in self.container["args"])

    def of_kind(self, kind):
        return [document for document in self.all if document["kind"] == kind]

    def service(self, name):
        return next((service for service in self.of_kind("Service") if service["metadata"]["name"] == name), None)


def link_problems(manifests):
    """Names that lead to nothing."""
    problems = []
    labels = manifests.pod["metadata"]["labels"]
    selectors = {"StatefulSet": manifests.set["spec"]["selector"]["matchLabels"]}
    for service in manifests.of_kind("Service"):
        selectors[f"Service {service['metadata']['name']}"] = service["spec"]["selector"]
        for port in service["spec"]["ports"]:
            if manifests.ports.get(port["targetPort"]) != port["port"]:
                problems.append(f"Service {service['metadata']['name']}: no port {port['targetPort']} of that number")
    for budget in manifests.of_kind("PodDisruptionBudget"):
        selectors["PodDisruptionBudget"] = budget["spec"]["selector"]["matchLabels"]
    for policy in manifests.of_kind("NetworkPolicy"):
        selectors["NetworkPolicy"] = policy["spec"]["podSelector"]["matchLabels"]
        for rule in policy["spec"]["ingress"]:
            for port in rule["ports"]:
                if port["port"] not in manifests.ports:
                    problems.append(f"NetworkPolicy: no port {port['port']}")
    for constraint in manifests.pod["spec"]["topologySpreadConstraints"]:
        selectors["topologySpreadConstraints"] = constraint["labelSelector"]["matchLabels"]
    for where, selector in selectors.items():
        if not selector or not selector.items() <= labels.items():
            problems.append(f"{where}: selects no pod of this file")

    nodes = manifests.service(manifests.set["spec"]["serviceName"])
    if nodes is None or nodes["spec"].get("clusterIP") != "None":
        problems.append("StatefulSet: serviceName is no headless Service")
    for ingress in manifests.of_kind("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                target = path["backend"]["service"]
                service = manifests.service(target["name"])
                if service is None or target["port"]["name"] not in [port["name"] for port in service["spec"]["ports"]]:
                    problems.append("Ingress: leads to no port of a Service")

    # The ports that the server opens, and what it is told about itself.
    for flag, port in {"listen": "game", "ops-listen": "ops", "node-listen": "node"}.items():
        if manifests.flags[flag].rsplit(":", 1)[1] != str(manifests.ports[port]):
            problems.append(f"--{flag} and the port {port} differ")
    variables = {variable["name"]: variable["valueFrom"] for variable in manifests.container["env"]}
    for used in re.findall(r"\$\((\w+)\)", " ".join(manifests.container["args"])):
        if used not in variables:
            problems.append(f"$({used}) has no value")
    if variables.get("POD_NAME", {}).get("fieldRef") != {"fieldPath": "metadata.name"}:
        problems.append("--node-name is not the pod's name")
    if "secretKeyRef" not in variables.get("TICKWIRE_REDIS", {}):
        problems.append("the address of Redis, which has a password in it, comes from no Secret")

    # The token: a key of a Secret, at the path that the server reads.
    volumes = {volume["name"]: volume for volume in manifests.pod["spec"]["volumes"]}
    files = set()
    for mount in manifests.container["volumeMounts"]:
        items = volumes.get(mount["name"], {}).get("secret", {}).get("items", [])
        files |= {f"{mount['mountPath']}/{item['path']}" for item in items}
    if manifests.flags["ops-token-file"] not in files:
        problems.append("--ops-token-file is in no volume of a Secret")
    return problems


def life_problems(manifests):
    """A node that is asked to end must have ended before it is killed, and probes must ask what answers them."""
    problems = []
    spec, container = manifests.pod["spec"], manifests.container
    waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    waits += seconds(manifests.flags["drain-delay"]) + seconds(manifests.flags["drain-timeout"])
    if spec["terminationGracePeriodSeconds"] < waits + RESERVE:
        problems.append(f"killed {spec['terminationGracePeriodSeconds']} s after the request to end, which takes {waits} s")
    for probe, path in {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}.items():
        asked = container[probe].get("httpGet", {})
        if (asked.get("path"), asked.get("port")) != (path, "ops"):
            problems.append(f"{probe} does not ask {path} of the operations port")
    ready = container["readinessProbe"]
    if seconds(manifests.flags["drain-delay"]) < ready["periodSeconds"] * ready["failureThreshold"]:
        problems.append("--drain-delay is over before the readiness probe has seen the drain")
    live = container["livenessProbe"]
    if live["periodSeconds"] * live["failureThreshold"] <= 5:
        problems.append("the liveness probe is no slower than /healthz itself")
    for budget in manifests.of_kind("PodDisruptionBudget"):
        if budget["spec"].get("maxUnavailable") != 1 or manifests.set["spec"]["replicas"] < 2:
            problems.append("PodDisruptionBudget: not one node of several at a time")
    return problems


def security_problems(manifests):
    """The process is nobody, may become nobody else, and writes nothing."""
    problems = []
    pod, container = manifests.pod["spec"]["securityContext"], manifests.container["securityContext"]
    if not (pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) > 0):
        problems.append("may run as root")
    if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        problems.append("no seccomp profile")
    if container.get("readOnlyRootFilesystem") is not True:
        problems.append("the root file system can be written")
    if container.get("allowPrivilegeEscalation") is not False:
        problems.append("may gain privileges")
    if container.get("capabilities", {}).get("drop") != ["ALL"] or "add" in container.get("capabilities", {}):
        problems.append("keeps capabilities")
    if manifests.pod["spec"].get("automountServiceAccountToken") is not False:
        problems.append("gets a token of Kubernetes' API")
    public = [port["name"] for port in manifests.service("tickwire")["spec"]["ports"]]
    if public != ["game"]:
        problems.append("the Service for players has more than the game port")
    return problems


def server_flags():
    shown = subprocess.run([os.environ["SERVER"], "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", shown, re.MULTILINE))


def flag_problems(manifests, known):
    named = set(manifests.flags)
    for variable in manifests.container["env"]:
        if variable["name"].startswith("TICKWIRE_"):
            named.add(variable["name"].removeprefix("TICKWIRE_").lower().replace("_", "-"))
    return [f"the server has no --{flag}" for flag in sorted(named - known)]


def all_problems(documents, changed, known):
    """Every problem; schemas are asked about `changed` alone, which saves most of the time."""
    problems = [problem for document in changed for problem in schema_problems(document, VERSIONS[-1:])]
    try:
        manifests = Manifests(documents)
        for check in (link_problems, life_problems, security_problems):
            problems += check(manifests)
        problems += flag_problems(manifests, known)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        problems.append(f"something is missing: {error!r}")
    return problems


# What somebody may get wrong: the text, and what they write instead. Each must be noticed.
MISTAKES = [
    ("replicas: 3", 'replicas: "3"'),
    ("replicas: 3", "replica: 3"),
    ("serviceName: tickwire-nodes", "servicename: tickwire-nodes"),
    ("serviceName: tickwire-nodes", "serviceName: tickwire"),
    ("clusterIP: None", "clusterIP: 10.0.0.1"),
    ("apiVersion: policy/v1", "apiVersion: policy/v1beta1"),
    ("kind: StatefulSet", "kind: Statefulset"),
    ("terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30"),
    ("terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 45s"),
    ("--drain-timeout=25s", "--drain-timeout=60s"),
    ("--drain-delay=5s", "--drain-delay=1s"),
    ("--drain-delay=5s", "--drain-wait=5s"),
    ("path: /readyz", "path: /healthz"),
    ("path: /readyz\n              port: ops", "path: /readyz\n              port: game"),
    ("startupProbe:", "startProbe:"),
    ("failureThreshold: 60", "failureTreshold: 60"),
    ("seconds: 5\n", "seconds: five\n"),
    ("preStop:", "prestop:"),
    ("fieldPath: metadata.name", "fieldPath: metadata.namespace"),
    ("name: POD_IP", "name: POD_ADDRESS"),
    ("secretKeyRef:", "secretRef:"),
    ("path: ops-token\n", "path: token\n"),
    ("name: ops-token\n          secret", "name: token\n          secret"),
    ("maxUnavailable: 1", "maxUnavailable: 3"),
    ("unhealthyPodEvictionPolicy: AlwaysAllow", "unhealthyPodEvictionPolicy: Always"),
    ("matchLabels:\n      app.kubernetes.io/name: tickwire\n---\n# Who", "matchLabels:\n      app: tickwire\n---\n# Who"),
    ("containerPort: 9777", "containerPort: 9778"),
    ("--listen=0.0.0.0:7777", "--listen=0.0.0.0:8080"),
    ("pathType: Prefix", "pathType: prefix"),
    ("podManagementPolicy: Parallel", "podManagementPolicy: parallel"),
    ("whenUnsatisfiable: ScheduleAnyway", "whenUnsatisfiable: Schedule"),
    ("runAsNonRoot: true", 'runAsNonRoot: "true"'),
    ("runAsUser: 65532", "runAsUser: 0"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
    ("- ALL", "- NET_RAW"),
    ("- port: ops", "- port: operations"),
    ("--workers=2", "--worker=2"),
    ("name: TICKWIRE_REDIS", "name: TICKWIRE_REDDIS"),
    ("memory: 2Gi", "memory: [2]"),
]


class ManifestTests(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.text = FILE.read_text()
        cls.documents = read(cls.text)
        cls.manifests = Manifests(copy.deepcopy(cls.documents))
        cls.known = server_flags()

    def test_every_document_fits_kubernetes_schema(self):
        kinds = [document["kind"] for document in self.documents]
        expected = ["Service", "Service", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "Ingress"]
        self.assertEqual(kinds, expected)
        problems = [problem for document in self.documents for problem in schema_problems(document)]
        self.assertEqual(problems, [])

    def test_names_lead_to_something(self):
        self.assertEqual(link_problems(self.manifests), [])

    def test_a_node_ends_before_it_is_killed(self):
        self.assertEqual(life_problems(self.manifests), [])

    def test_the_server_is_nobody_and_writes_nothing(self):
        self.assertEqual(security_problems(self.manifests), [])

    def test_every_flag_is_the_servers(self):
        self.assertEqual(flag_problems(self.manifests, self.known), [])

    def test_every_mistake_is_noticed(self):
        for right, wrong in MISTAKES:
            with self.subTest(right=right, wrong=wrong):
                self.assertIn(right, self.text)
                broken = read(self.text.replace(right, wrong, 1))
                changed = [new for new, old in zip(broken, self.documents) if new != old]
                self.assertEqual(len(changed), 1)
                self.assertNotEqual(all_problems(broken, changed, self.known), [])

    def test_a_key_that_is_written_twice_is_refused(self):
        with self.assertRaises(yaml.YAMLError):
            read(self.text.replace("replicas: 3", "replicas: 3\n  replicas: 2"))


if __name__ == "__main__":
    unittest.main()
