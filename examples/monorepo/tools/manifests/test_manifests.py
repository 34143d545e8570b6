"""Run by: python -m unittest"""

import unittest
from pathlib import Path

from manifests import version

TESTDATA = Path(__file__).parent / "testdata"


class Version(unittest.TestCase):
    def test_every_kind_of_manifest_states_its_version(self) -> None:
        for manifest, expected in {
            "node/package.json": "1.2.3",
            "python/pyproject.toml": "4.5.6",
            "rust/Cargo.toml": "7.8.9",
        }.items():
            with self.subTest(manifest):
                self.assertEqual(version(TESTDATA / manifest), expected)


if __name__ == "__main__":
    unittest.main()
