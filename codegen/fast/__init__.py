# SPDX-License-Identifier: MIT
"""Writes the fast codec. Each class writes one layer of its functions, from the fields of the tables in wire order.

`writer` has the lines and the citations. `values` reads one value, `properties` a property list, `blocks` a property
list that stays bytes, `packets` a packet. `headers` dispatches by the first byte. `encoders` encodes.
`codegen.emit_fast` puts the module together.
"""
