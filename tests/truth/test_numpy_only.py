"""The data sets and the analytic solutions are read without Keras, whatever the package imports."""

import subprocess
import sys

import cvae_keras

READ = """
import sys, types
package = types.ModuleType("cvae_keras")  # without running its __init__
package.__path__ = [{path!r}]
sys.modules["cvae_keras"] = package
import cvae_keras.data, cvae_keras.truth
slow = {{"keras", "tensorflow", "sklearn", "scipy", "pandas", "matplotlib"}}
print(sorted(slow & set(sys.modules)))
"""


def test_truth_and_data_import_numpy_only():
    code = READ.format(path=cvae_keras.__path__[0])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
