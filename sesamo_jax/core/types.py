"""Names of types that every layer uses."""

from typing import Any

import jax

Array = jax.Array
Key = jax.Array
Params = Any
