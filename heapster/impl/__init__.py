"""The allocator, as plain functions over 64-bit words; see `layout` for where every bit lives.

m       the machine                     b        address of a block's header
p       address of a payload            arena    address of an arena's record
want    bytes of block                  request  bytes the caller asked for
NULL    0; an address no block has      s        address of the statics
"""
