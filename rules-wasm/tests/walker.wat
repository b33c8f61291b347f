;; Rules of a small test game, by hand. A walker has the public lanes x and y and the private lane steps. Its input is two signed
;; bytes, dx and dy. The map is one 32-bit word: the speed. A row near by pushes: its x is halved and added to y.
(module
  (memory (export "memory") 2 16)
  (global $speed (mut i32) (i32.const 0))
  ;; The exchange buffer is at 65536, the map buffer at 1024.
  (func (export "tickwire_abi") (result i32) (i32.const 1))
  (func (export "tickwire_rules_hash") (result i64) (i64.const 4660))
  (func (export "tickwire_buffer") (result i32) (i32.const 65536))
  (func (export "tickwire_map_buffer") (param $bytes i32) (result i32)
    (select (i32.const 1024) (i32.const 0) (i32.le_u (local.get $bytes) (i32.const 4096))))
  (func (export "tickwire_start") (param $bytes i32) (result i32)
    (global.set $speed (i32.load (i32.const 1024)))
    (i32.eq (local.get $bytes) (i32.const 4)))
  (func (export "tickwire_kind") (param $bytes i32) (result i32)
    ;; "walker" is the only name that has six bytes and ends in "lker".
    (select (i32.const 0) (i32.const -1)
      (i32.and
        (i32.eq (local.get $bytes) (i32.const 6))
        (i32.eq (i32.load (i32.const 65538)) (i32.const 0x72656b6c)))))
  (func (export "tickwire_reach") (param $kind i32) (result i32)
    (select (i32.const 100) (i32.const 0) (i32.eqz (local.get $kind))))
  (func (export "tickwire_advance")
    (param $kind i32) (param $tick i32) (param $lanes i32) (param $private i32) (param $nearby i32) (param $input i32)
    (param $input_bytes i32)
    (local $input_at i32)
    (if (i32.or (i32.ne (local.get $kind) (i32.const 0))
          (i32.or (i32.ne (local.get $lanes) (i32.const 2)) (i32.ne (local.get $private) (i32.const 1))))
      (then (return)))
    (local.set $input_at (i32.add (i32.const 65548) (i32.shl (local.get $nearby) (i32.const 2))))
    (if (i32.and (i32.ne (local.get $input) (i32.const 0)) (i32.ge_u (local.get $input_bytes) (i32.const 2)))
      (then
        (i32.store (i32.const 65536) (i32.add (i32.load (i32.const 65536))
          (i32.mul (global.get $speed) (i32.load8_s (local.get $input_at)))))
        (i32.store (i32.const 65540) (i32.add (i32.load (i32.const 65540))
          (i32.mul (global.get $speed) (i32.load8_s offset=1 (local.get $input_at)))))
        ;; Only a fresh input counts as steps.
        (if (i32.eq (local.get $input) (i32.const 1))
          (then (i32.store (i32.const 65544) (i32.add (i32.load (i32.const 65544)) (i32.const 1)))))))
    (if (i32.ge_u (local.get $nearby) (i32.const 6))
      (then
        (i32.store (i32.const 65540) (i32.add (i32.load (i32.const 65540))
          (i32.shr_s (i32.load (i32.const 65564)) (i32.const 1))))))))
