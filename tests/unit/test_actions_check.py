"""What an order may say is checked before anybody is asked: names, numbers, addresses, paths."""

from __future__ import annotations

import pytest

from receiver.domain.action import Order, Parameter, Signature, Type
from receiver.kubeclient.access import UNSET
from receiver.remediation.base import LONGEST_SYSTEM, LONGEST_TARGET, system_key
from receiver.remediation.names import FLAWS
from receiver.remediation.registry import CATALOGUE
from tests.builders.actions import SHOP, actions, order

KUBERNETES = {"KUBERNETES_URL": "http://127.0.0.1:1", "KUBERNETES_TOKEN": "token-of-tests"}
SETTINGS = {
    **KUBERNETES,
    "REMEDIATION_PATHS": "/var/log/app,/srv/cache",
    "REMEDIATION_DATABASES": "orders=mysql://u:p@h/orders,stock=postgresql://u:p@h/stock,cache=redis://h/0",
}
INJECTIONS = (
    "default; rm -rf /",
    "../kube-system",
    "--all",
    "x" * 300,
    "shop/pods",
    "shop?x=1",
    "shop%2Fx",
    "Shop",
    "shop\n",
    "sh\0op",
    "-shop",
    "shop-",
    ".",
    "..",
    "šhop",
    "shop,kube-system",
    "*",
    "$(id)",
    "{{ labels.x }}",
)
IN_CLUSTER = [name for name in CATALOGUE if name.startswith("kubernetes.")]
NEEDED = {
    "kubernetes.scale": {"by": 1},
    "kubernetes.patch_hpa": {"max": 3},
}


def right_target(name: str) -> dict[str, str]:
    return dict.fromkeys((*CATALOGUE[name].required, *CATALOGUE[name].optional), "fine")


@pytest.mark.parametrize("name", IN_CLUSTER)
@pytest.mark.parametrize("text", INJECTIONS)
def test_a_text_that_is_no_name_is_refused_wherever_it_stands(name, text):
    action = actions(**KUBERNETES)[name]
    assert action.check(order(name, right_target(name), **NEEDED.get(name, {}))) == []
    for key in right_target(name):
        (problem,) = action.check(order(name, {**right_target(name), key: text}, **NEEDED.get(name, {})))
        assert problem.startswith(f"target.{key}: ")
        assert "is no name of a" in problem
        assert len(problem) < 330
        assert "\0" not in problem
        assert "\n" not in problem


def test_the_refusal_says_what_was_wrong_and_what_would_be_right():
    (problem,) = actions(**KUBERNETES)["kubernetes.rollout_restart"].check(
        order("kubernetes.rollout_restart", {**SHOP, "namespace": "default; rm -rf /"})
    )
    assert problem == (
        'target.namespace: "default; rm -rf /" is no name of a namespace: such a name has 1 to 63 characters and'
        " begins and ends with a-z or 0-9, with - between"
    )


@pytest.mark.parametrize("name", ["a", "svc-a", "0", "a" * 63, "a.b-c.d"])
def test_names_that_kubernetes_takes_are_taken(name):
    assert FLAWS["deployment"](name) is None
    assert (FLAWS["namespace"](name) is None) is ("." not in name)


@pytest.mark.parametrize("name", IN_CLUSTER)
def test_without_a_cluster_every_order_is_refused_with_what_to_set(name):
    assert actions()[name].check(order(name, right_target(name), **NEEDED.get(name, {}))) == [UNSET]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "parameters: needs either replicas or by"),
        ({"by": 1, "replicas": 2}, "parameters: needs either replicas or by"),
        ({"by": 0}, "by: must not be 0"),
        ({"by": 1.5}, "by: must be a whole number"),
        ({"by": True}, "by: must be a whole number"),
        ({"by": "1"}, "by: must be a whole number"),
        ({"replicas": -1}, "replicas: must be between 0 and 1000"),
        ({"replicas": 10**9}, "replicas: must be between 0 and 1000"),
        ({"by": 1, "min": 5, "max": 4}, "min: 5 is more than max, which is 4"),
        ({"replicas": 1, "max": 4}, "max: is for by, and replicas is given"),
        (
            {"by": 1, "step": 1},
            "step: kubernetes.scale has no such parameter; it has replicas, by, min, max",
        ),
    ],
)
def test_a_scale_that_makes_no_sense_is_refused(parameters, expected):
    assert actions(**KUBERNETES)["kubernetes.scale"].check(order("kubernetes.scale", SHOP, **parameters)) == [
        expected
    ]


def test_all_mistakes_of_an_order_are_told_at_once():
    problems = actions()["kubernetes.scale"].check(
        Order("kubernetes.scale", {"namespace": "--all", "node": "n"}, {"by": "x", "foo": 1})
    )
    assert [problem.split(":")[0] for problem in problems[:-1]] == [
        "target.deployment",
        "target.node",
        "by",
        "foo",
        "target.namespace",
    ]
    assert problems[-1] == UNSET


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_order_without_anything_is_refused_by_every_action(name):
    problems = actions(**SETTINGS)[name].check(Order(name))
    assert problems
    assert all("is missing" in problem or "needs" in problem for problem in problems)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_target_that_is_no_text_is_refused_and_no_error(name):
    target = dict.fromkeys(CATALOGUE[name].required, 7)
    problems = actions(**SETTINGS)[name].check(Order(name, target))  # type: ignore[arg-type] # that is the point
    assert any("must be a text" in problem for problem in problems)


def test_the_catalogue_is_what_can_be_run():
    known = actions(**SETTINGS)
    assert {name: one.signature for name, one in known.items()} == dict(CATALOGUE)
    assert len(CATALOGUE) >= 15


@pytest.mark.parametrize("name", IN_CLUSTER)
def test_targets_and_systems_fit_their_columns(name):
    action = actions(**KUBERNETES)[name]
    long = dict.fromkeys(CATALOGUE[name].required, "a" * 63)
    wanted = order(name, long, **NEEDED.get(name, {}))
    assert action.check(wanted) == []
    assert len(action.target_text(wanted)) <= LONGEST_TARGET
    assert action.system(wanted) == "kubernetes"


def test_names_that_are_too_long_together_are_refused():
    dotted = ".".join(["a" * 60] * 4)
    (problem,) = actions(**KUBERNETES)["kubernetes.delete_pod"].check(
        order("kubernetes.delete_pod", {"namespace": "shop", "pod": dotted})
    )
    assert problem == "target: its names are longer than 255 characters together"


def test_the_target_reads_as_a_path():
    assert actions()["kubernetes.scale"].target_text(order("kubernetes.scale", SHOP)) == (
        "kubernetes:shop/deployment/svc-a"
    )
    assert actions()["kubernetes.cordon"].target_text(order("kubernetes.cordon", {"node": "n1"})) == (
        "kubernetes:node/n1"
    )


@pytest.mark.parametrize("text", ["http:" + "h" * 100, "http:höst.example"])
def test_the_key_of_a_system_fits_and_tells_hosts_apart(text):
    assert len(system_key(text)) <= LONGEST_SYSTEM
    assert system_key(text).isascii()
    assert system_key(text) != system_key(text + "x")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.org/", "is no http:// or https:// address"),
        ("https:///path", "is no http:// or https:// address"),
        ("file:///etc/passwd", "is no http:// or https:// address"),
        ("https://user:secret@example.org/", "has a user or a password"),
        ("https://example.org/a b", "has characters that no address has"),
        ("https://example.org/\r\nX: y", "has characters that no address has"),
        ("https://example.org:port/", "is no address"),
        ("https://example.org/" + "a" * 2000, "is longer than 2000 characters"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused(url, reason):
    (problem,) = actions()["http.call"].check(order("http.call", {"url": url}))
    assert problem.startswith("target.url: ")
    assert reason in problem
    assert "secret" not in problem


def test_the_query_of_an_address_stays_out_of_the_target():
    wanted = order("http.call", {"url": "https://api.example.org/flush?token=secret"}, method="DELETE")
    action = actions()["http.call"]
    assert action.target_text(wanted) == "http:DELETE https://api.example.org/flush"
    assert action.system(wanted) == "http:api.example.org"
    assert "secret" not in action.plan(wanted).text


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "/var/log/app/../../../etc",
        "/var/log/app/..",
        "/var/log/application",
        "/var/log",
        "/",
        "var/log/app",
        "/var/log/app/./x",
        "/var/log//app",
        "/var/log/app\0",
        "~",
    ],
)
def test_a_path_outside_of_the_allowed_folders_is_refused(path):
    (problem,) = actions(**SETTINGS)["disk.cleanup"].check(
        order("disk.cleanup", {"path": path}, older_than_hours=1)
    )
    assert "is not in a folder of RECEIVER_REMEDIATION_PATHS; it has /var/log/app, /srv/cache" in problem


@pytest.mark.parametrize("path", ["/var/log/app", "/var/log/app/", "/srv/cache/a/b"])
def test_a_path_in_an_allowed_folder_is_taken(path):
    assert (
        actions(**SETTINGS)["disk.cleanup"].check(order("disk.cleanup", {"path": path}, older_than_hours=1))
        == []
    )


@pytest.mark.parametrize(
    ("name", "database", "expected"),
    [
        ("mysql.kill_connections", "stock", "stock is no mysql database"),
        ("postgresql.kill_connections", "cache", "cache is no postgresql database"),
        ("redis.clear_prefix", "orders", "orders is no redis database"),
        (
            "mysql.kill_connections",
            "nowhere",
            "there is no mysql database of this name in RECEIVER_REMEDIATION_DATABASES; it has orders",
        ),
    ],
)
def test_only_databases_of_the_settings_and_of_the_right_kind_are_taken(name, database, expected):
    parameters = {"prefix": "abc"} if name.startswith("redis") else {"idle_seconds": 60}
    (problem,) = actions(**SETTINGS)[name].check(order(name, {"database": database}, **parameters))
    assert problem == f"target.database: {expected}"


@pytest.mark.parametrize("prefix", ["", "ab", "abc*", "a[b]c", "a?c", "x" * 201])
def test_a_prefix_that_could_mean_everything_is_refused(prefix):
    wanted = order("redis.clear_prefix", {"database": "cache"}, prefix=prefix)
    (problem,) = actions(**SETTINGS)["redis.clear_prefix"].check(wanted)
    assert problem.startswith("prefix: ")


def test_bounds_of_a_parameter_are_part_of_it():
    parameter = Parameter("n", Type.SECONDS, "", least=1, most=5)
    assert [parameter.flaw_of(value) for value in (1, 5, 2.5)] == [None] * 3
    assert parameter.flaw_of(5.1) == "n: must be between 1 and 5"
    assert parameter.flaw_of(float("nan")) == "n: must be a number of seconds"
    assert Parameter("t", Type.TABLE, "").flaw_of({"a": 1}) == "t: must be a table of texts"
    assert Parameter("f", Type.FLAG, "").flaw_of("true") == "f: must be true or false"
    assert Parameter("n", Type.INTEGER, "", most=5).flaw_of(6) == "n: must be at most 5"
    assert Parameter("n", Type.TEXT, "", choices=("a", "b")).flaw_of("c") == "n: must be one of a, b"


def test_a_required_parameter_that_is_missing_is_told():
    signature = Signature("x.y", "", parameters=(Parameter("n", Type.TEXT, "", is_required=True),))
    assert signature.problems(Order("x.y")) == ["n: is missing"]
