# SPDX-License-Identifier: MIT
"""The fast codec as it is written: each class writes a layer of its functions, by the tables' fields in wire order.

`writer` has the lines and the citations; `values` reads one value, `properties` a property list, `packets` a packet;
`headers` is the way in by the first byte, `encoders` the way out. `codegen.emit_fast` puts the module together.
"""
