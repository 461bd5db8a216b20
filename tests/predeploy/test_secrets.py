"""Which passwords and keys are fit for production. None of the words ever holds a part of the value."""

from __future__ import annotations

import random

import pytest

from devctl.safety.secrets import Kind, Secret, kind_of, redacted, user_of, weakness

GOOD = [
    (Kind.PASSWORD, "Tq7-vhR2mXw9"),
    (Kind.PASSWORD, "correct horse battery staple"),
    (Kind.PASSWORD, "dev_Tq7vhR2mXw9Lp"),
    (Kind.PASSWORD, "ß7ü!kö9Ä-ñ3ø&pq"),
    (Kind.TOKEN, "sk_live_9Xr2vTq7hR2mXw9Lp"),
    (Kind.SIGNING, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"),
    (Kind.SIGNING, "xH4v-Kp2Wm9QzR7sT1uYb3Nc6Ed8Fg0J"),
    (Kind.SIGNING, "-----BEGIN PRIVATE KEY-----\n" + "MIGHAgEAMBMGByqGSM49" * 6 + "\n-----END PRIVATE KEY-----"),
]
WEAK = [
    (Kind.PASSWORD, "", "empty"),
    (Kind.PASSWORD, "   ", "empty"),
    (Kind.PASSWORD, " Tq7-vhR2mXw9", "blanks"),
    (Kind.PASSWORD, "postgres", "well-known"),
    (Kind.PASSWORD, "secret", "well-known"),
    (Kind.PASSWORD, "Passw0rd123!", "well-known"),
    (Kind.PASSWORD, "p@$$w0rd", "well-known"),
    (Kind.PASSWORD, "POSTGRES_PASSWORD", "well-known"),
    (Kind.PASSWORD, "adminadminadmin", "well-known"),
    (Kind.PASSWORD, "shop-dev-service-2024", "well-known"),
    (Kind.PASSWORD, "shopdevpassword", "well-known"),
    (Kind.PASSWORD, "123456789012", "well-known|follows"),
    (Kind.PASSWORD, "qwertyuiopas", "follows"),
    (Kind.PASSWORD, "abcdefghijkl", "follows"),
    (Kind.PASSWORD, "zyxwvutsrqpo", "follows"),
    (Kind.PASSWORD, "aaaaaaaaaaaa", "repeats"),
    (Kind.PASSWORD, "x9Kx9Kx9Kx9K", "repeats"),
    (Kind.PASSWORD, "x9xq9xqx99xq", "easy to guess"),
    (Kind.PASSWORD, "shop-2024-dev", "well-known"),
    (Kind.PASSWORD, "Tq7-vhR2mXw", "shorter than the 12"),
    (Kind.PASSWORD, "changeme", "placeholder"),
    (Kind.PASSWORD, "please-change-me-now", "placeholder"),
    (Kind.PASSWORD, "<your password>", "placeholder"),
    (Kind.PASSWORD, "${DB_PASSWORD}", "placeholder"),
    (Kind.PASSWORD, "xxxxxxxxxxxxxxxx", "placeholder"),
    (Kind.TOKEN, "AKIAIOSFODNN7EXAMPLE", "placeholder"),
    (Kind.TOKEN, "Tq7-vhR2mXw9Lp4", "shorter than the 16"),
    (Kind.TOKEN, "replace_with_real_token", "placeholder"),
    (Kind.SIGNING, "dev", "well-known"),
    (Kind.SIGNING, "your-256-bit-secret", "placeholder"),
    (Kind.SIGNING, "django-insecure-x8s0qj2m5f3k9b7t1w4z6v", "placeholder"),
    (Kind.SIGNING, "xH4v-Kp2Wm9QzR7sT1uYb3Nc6Ed8Fg0", "shorter than the 32"),
    (Kind.SIGNING, "0123456789abcdef0123456789abcdef", "repeats|follows"),
    (Kind.SIGNING, "a1b2a1b2a1b2a1b2a1b2a1b2a1b2a1b2a1b2", "repeats"),
    (Kind.SIGNING, "x9xq9xqx99xqq9x9xqxq99qx9xqx9q9xxq9q", "easy to guess"),
    (Kind.SIGNING, "-----BEGIN PRIVATE KEY-----\nMIGH", "cut short"),
    (Kind.SIGNING, "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----", "cut short"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_a_strong_one_is_fit(kind: Kind, value: str) -> None:
    assert weakness(Secret("X", value, kind, "admin"), {"shop"}) == ""


@pytest.mark.parametrize(("kind", "value", "why"), WEAK)
def test_a_weak_one_is_not_and_the_answer_does_not_give_it_away(kind: Kind, value: str, why: str) -> None:
    said = weakness(Secret("X", value, kind, "admin"), {"shop"})
    assert any(part in said for part in why.split("|")), said
    assert not value.strip() or value not in said


def test_a_user_is_no_password() -> None:
    assert weakness(Secret("X", "nightingale-7", Kind.PASSWORD, "Nightingale")) == "is the name of its user"
    assert weakness(Secret("X", "admin", Kind.PASSWORD, "admin")) == "is the name of its user"
    assert weakness(Secret("X", "nightingale-kestrel", Kind.PASSWORD, "kestrel")) == ""


def test_words_of_the_project_are_weak_only_in_that_project() -> None:
    value = "kestrel-nightjar-dev"
    assert weakness(Secret("X", value, Kind.PASSWORD)) == ""
    assert "well-known" in weakness(Secret("X", value, Kind.PASSWORD), {"kestrel", "nightjar"})


def test_random_ones_of_the_least_length_always_pass() -> None:
    chance = random.Random(20261128)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for _ in range(2000):
        for kind, alphabet, length in (
            (Kind.PASSWORD, letters, 16), (Kind.TOKEN, letters, 20), (Kind.SIGNING, "0123456789abcdef", 32),
        ):  # fmt: skip
            value = "".join(chance.choice(alphabet) for _ in range(length))
            assert weakness(Secret("X", value.strip(), kind)) == "", (kind, value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SECRET_KEY", Kind.SIGNING), ("JWT_SECRET", Kind.SIGNING), ("PASSWORD_SALT", Kind.PASSWORD),
        ("ADMIN_PASSWORD", Kind.PASSWORD), ("PGPASSWORD", Kind.PASSWORD), ("db_pass", Kind.PASSWORD),
        ("SERVICE_TOKEN", Kind.TOKEN), ("STRIPE_API_KEY", Kind.TOKEN), ("AWS_SECRET_ACCESS_KEY", Kind.TOKEN),
        ("PUBLIC_KEY", None), ("VITE_PUBLISHABLE_KEY", None), ("AWS_ACCESS_KEY_ID", None), ("KEY_FILE", None),
        ("TOKEN_EXPIRY_SECONDS", None), ("PASSWORD_MIN_LENGTH", None), ("MONKEY", None), ("KEYBOARD", None),
        ("PWD", None), ("PORT", None),
    ],
)  # fmt: skip
def test_a_variables_name_says_what_it_holds(name: str, kind: Kind | None) -> None:
    assert kind_of(name) is kind


def test_the_user_of_a_password_variable() -> None:
    assert user_of("ADMIN_PASSWORD", {"ADMIN_USER": "root"}) == "root"
    assert user_of("POSTGRES_PASSWORD", {}) == "postgres"


def test_values_are_blotted_out_longest_first() -> None:
    assert redacted("abcdef abc ab", ["abc", "abcdef", "ab"]) == "••• ••• ab"
