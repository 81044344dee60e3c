"""The packages in deploy/: each judged by its own format's tool, and the promises that no tool knows of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from compose_spec import PyCompose

from connector import __version__
from connector.demo import oms
from connector.settings import config, sources
from tests.support.fixtures.cli import ROOT

DEPLOY: Final = ROOT / "deploy"
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: Final = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
UNIT: Final = DEPLOY / "systemd" / "redo-connector.service"
MANIFESTS: Final = DEPLOY / "kubernetes" / "connector.yaml"
PAIR: Final = DEPLOY / "kubernetes" / "pair" / "pair.yaml"
LEADER: Final = PAIR.with_name("leader.yaml")
COMPOSED_PAIR: Final = (DEPLOY / "compose.pair.yaml").read_text(encoding="utf-8")


def program(name: str) -> str:
    """Of this environment, or the system's. In CI (`CI` is set) a test that needs one never passes without."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        message = f"{name} is not installed: systemd has systemd-analyze, requirements/dev.lock the others"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return found


def ran(*command: str) -> str:
    """What it printed. Fails with that when it doesn't end with 0."""
    done = subprocess.run([program(command[0]), *command[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def manifest(kind: str, file: Path = MANIFESTS) -> Any:
    [found] = [each for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each["kind"] == kind]
    return found


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(COMPOSE)


def test_in_ci_a_missing_program_fails_and_elsewhere_it_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        program("no-such-program")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no-such-program is not installed"):
        program("no-such-program")


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert ran("hadolint", "--failure-threshold", "style", str(ROOT / "Dockerfile")) == ""


def test_the_image_runs_as_a_numbered_user_and_is_judged_by_being_alive() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)[-1] == "10001:10001"
    [healthcheck] = re.findall(r"^HEALTHCHECK (?:.*\\\n)?.*$", DOCKERFILE, re.MULTILINE)
    assert "/healthz" in healthcheck
    assert len(re.findall(r"^FROM \$\{BASE\}\$\{BASE_DIGEST:\+@\$\{BASE_DIGEST\}\}", DOCKERFILE, re.MULTILINE)) == 2


def test_what_the_dockerfile_copies_is_in_its_context() -> None:
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    assert set(copied) == set(kept)
    assert all((ROOT / path).exists() for path in copied)


def test_compose_is_valid_and_says_what_a_parser_of_the_specification_understands(compose: Any) -> None:
    parsed = PyCompose.from_yaml(yaml.safe_dump(compose))
    parsed.validate()
    assert set(parsed.service_names()) == set(compose["services"])
    with pytest.raises(ValueError, match="`restarts`"):
        PyCompose.from_yaml(yaml.safe_dump(compose).replace("restart:", "restarts:"))


def test_every_file_that_compose_mounts_exists_and_is_mounted_read_only(compose: Any) -> None:
    mounts = [mount.split(":") for each in compose["services"].values() for mount in each.get("volumes", ())]
    files = [mount for mount in mounts if mount[0].startswith(".")]
    assert [mount for mount in files if mount[2:] != ["ro"]] == []
    assert [mount[0] for mount in files if not (DEPLOY / mount[0]).exists()] == []
    assert {mount[0] for mount in mounts} - {mount[0] for mount in files} == set(compose["volumes"])


def test_compose_listens_on_loopback_only(compose: Any) -> None:
    ports = [port for each in compose["services"].values() for port in each.get("ports", ())]
    assert len(ports) == 4
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_service_of_compose_is_bounded_in_memory_processes_and_logs(compose: Any) -> None:
    for name, each in compose["services"].items():
        assert each["mem_limit"], name
        assert each["pids_limit"], name
        assert each["logging"]["options"]["max-size"], name


@pytest.mark.parametrize(("file", "kind"), [(MANIFESTS, "StatefulSet"), (PAIR, "Deployment")])
def test_kubernetes_lets_the_monitoring_in_and_names_resolution_postgres_and_redo_out(file: Path, kind: str) -> None:
    policy, pod = manifest("NetworkPolicy", file)["spec"], manifest(kind, file)["spec"]["template"]
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    [rule] = policy["ingress"]
    assert rule["from"]
    assert rule["ports"] == [{"protocol": "TCP", "port": pod["spec"]["containers"][0]["ports"][0]["name"]}]
    assert {port["port"] for each in policy["egress"] for port in each["ports"]} == {53, 443, 5432}


def test_composes_prometheus_is_the_documented_one_with_the_connectors_name() -> None:
    ours = yaml.safe_load((DEPLOY / "compose" / "prometheus.yaml").read_text(encoding="utf-8"))
    documented = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))
    documented["rule_files"] = [f"/etc/prometheus/rules/{name}" for name in documented["rule_files"]]
    documented["scrape_configs"][0]["static_configs"] = [{"targets": ["connector:9464"]}]
    assert ours == documented
    of_two = yaml.safe_load((DEPLOY / "compose" / "prometheus.pair.yaml").read_text(encoding="utf-8"))
    documented["scrape_configs"][0]["static_configs"] = [{"targets": ["connector:9464", "connector-two:9464"]}]
    assert of_two == documented


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/redo-connector/bin/redo-connector", shutil.which("true") or "/bin/true"))
    assert ran("systemd-analyze", "verify", str(unit)) == ""
    unit.write_text(text.replace("/opt/redo-connector/bin/redo-connector", "/bin/true") + "\n[Service]\nRestarts=no\n")
    assert "Restarts" in ran("systemd-analyze", "verify", str(unit))


def test_systemd_finds_the_unit_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    shutil.copy(UNIT, unit)
    # In tenths: 2.0 of 10, where 10 is a service with no restriction at all.
    assert "Overall exposure level" in ran("systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit))


def test_a_stalled_or_crashed_connector_is_started_again_and_a_refused_one_is_not() -> None:
    text = UNIT.read_text(encoding="utf-8")
    assert re.findall(r"^Restart=(.+)$", text, re.MULTILINE) == ["on-failure"]
    assert re.findall(r"^RestartPreventExitStatus=(.+)$", text, re.MULTILINE) == ["2"]
    assert "StartLimitIntervalSec=0" in text


def test_the_manifests_are_what_kubernetes_takes(tmp_path: Path) -> None:
    ran("kubernetes-validate", "--strict", "--quiet", str(MANIFESTS))
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(MANIFESTS.read_text(encoding="utf-8").replace("podManagementPolicy", "podManagmentPolicy"))
    with pytest.raises(AssertionError, match="podManagmentPolicy"):
        ran("kubernetes-validate", "--strict", "--quiet", str(wrong))


def test_kubernetes_runs_one_pod_that_is_restarted_when_dead_and_scraped_when_unready() -> None:
    spec = manifest("StatefulSet")["spec"]
    [container] = spec["template"]["spec"]["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert spec["replicas"] == 1
    assert manifest("Service")["spec"]["publishNotReadyAddresses"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")} == {"/data"}


def test_kubernetes_runs_two_pods_apart_of_which_one_may_be_moved_at_a_time_and_each_role_is_ready() -> None:
    spec, budget = manifest("Deployment", PAIR)["spec"], manifest("PodDisruptionBudget", PAIR)["spec"]
    ran("kubernetes-validate", "--strict", "--quiet", str(PAIR))
    assert (spec["replicas"], budget["minAvailable"]) == (2, 1)
    assert budget["selector"] == spec["selector"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    pod = spec["template"]["spec"]
    [apart] = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert apart["podAffinityTerm"]["labelSelector"] == spec["selector"]
    [container] = pod["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz?role=any"}
    given = {each["name"] for each in container["env"]}
    assert {"CONNECTOR_CHECKPOINTS__URL_FILE", "CONNECTOR_DAEMON__INSTANCE"} <= given
    assert [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")] == []
    of_one = manifest("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert container["securityContext"] == of_one["securityContext"]


def test_the_address_that_follows_the_leader_may_ask_every_pod_ready_or_not_and_nobody_else_more_than_before() -> None:
    ran("kubernetes-validate", "--strict", "--quiet", str(LEADER))
    pods = manifest("Service", PAIR)
    [container] = manifest("Deployment", LEADER)["spec"]["template"]["spec"]["containers"]
    of_one = manifest("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert container["securityContext"] == of_one["securityContext"]
    asked = next(each["value"] for each in container["env"] if each["name"] == "CONNECTORS")
    assert asked.split(".")[0] == pods["metadata"]["name"]
    assert int(asked.rpartition(":")[2]) == pods["spec"]["ports"][0]["port"]
    assert (pods["spec"]["clusterIP"], pods["spec"]["publishNotReadyAddresses"]) == ("None", True)
    front = manifest("NetworkPolicy", LEADER)["spec"]
    let_in = [peer for rule in manifest("NetworkPolicy", PAIR)["spec"]["ingress"] for peer in rule["from"]]
    assert {"podSelector": front["podSelector"]} in let_in
    assert all("namespaceSelector" in peer for rule in front["ingress"] for peer in rule["from"])
    given = yaml.safe_load((PAIR.parent / "kustomization.yaml").read_text(encoding="utf-8"))
    files = next(each["files"] for each in given["configMapGenerator"] if each["name"] == "redo-connector-leader")
    mounted = yaml.safe_load(COMPOSED_PAIR)["services"]["leader"]["volumes"]
    assert (files, [each.split(":")[0] for each in mounted]) == (["haproxy.cfg"], ["./kubernetes/pair/haproxy.cfg"])
    assert (PAIR.parent / "haproxy.cfg").is_file()
    [tag] = [each["newTag"] for each in given["images"] if each["name"] == "haproxy"]
    assert f"image: haproxy:{tag}\n" in COMPOSED_PAIR


def test_the_two_connectors_of_compose_differ_in_name_and_port_only(compose: Any) -> None:
    pair = yaml.safe_load(COMPOSED_PAIR)["services"]
    first = {**compose["services"]["connector"]}
    first["environment"] = {**first["environment"], **pair["connector"]["environment"]}
    second = {**pair["connector-two"]}
    assert (first["environment"].pop("CONNECTOR_DAEMON__INSTANCE"), first.pop("ports")) == (
        "one",
        ["127.0.0.1:9464:9464"],
    )
    assert (second["environment"].pop("CONNECTOR_DAEMON__INSTANCE"), second.pop("ports")) == (
        "two",
        ["127.0.0.1:9466:9464"],
    )
    first |= {name: pair["connector"][name] for name in ("depends_on", "networks")}
    first["volumes"] = first["volumes"][1:]
    assert second == first
    parsed = PyCompose.from_yaml(yaml.safe_dump({"services": pair, "volumes": {"checkpoints": None}}))
    assert set(parsed.service_names()) == {"checkpoints", "connector", "connector-two", "leader", "prometheus"}


def test_every_setting_that_a_package_gives_exists(compose: Any) -> None:
    unit = UNIT.read_text(encoding="utf-8") + (DEPLOY / "systemd" / "environment").read_text(encoding="utf-8")
    manifests = [each.read_text(encoding="utf-8") for each in (MANIFESTS, PAIR)]
    texts = (DOCKERFILE, COMPOSE, COMPOSED_PAIR, unit, *manifests)
    given = {name for text in texts for name in re.findall(r"CONNECTOR_[A-Z_]+__[A-Z_]+[A-Z]", text)}
    known = {sources.env_name(key) for key in config.known_keys()}
    assert {name.removesuffix(sources.FILE_SUFFIX) for name in given} <= known
    assert len(given) > 8


def test_no_package_holds_a_secret_but_the_rehearsals(compose: Any) -> None:
    environment = compose["services"]["connector"]["environment"]
    assert environment["CONNECTOR_REDO__API_SECRET"] == "rehearsal"
    settings = [folder / "connector.toml" for folder in (MANIFESTS.parent, PAIR.parent)]
    for path in (UNIT, MANIFESTS, PAIR, DEPLOY / "systemd" / "environment", *settings):
        text = path.read_text(encoding="utf-8")
        assert re.search(r"(API_SECRET|DSN|KEYS|api_secret|dsn)\s*=\s*[^%/\s]", text) is None, path


def test_the_version_of_the_image_in_the_manifests_is_this_one() -> None:
    for folder in (MANIFESTS.parent, PAIR.parent):
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        assert kustomization["images"][0]["newTag"] == __version__
    assert oms.mapping() == (ROOT / "mapping.sql").read_text(encoding="utf-8")  # what compose mounts fits its OMS
