;; y = w x + bias, where x is read where it lies: "product" is the matrix product and the 1x1
;; convolution, "convolution" the 3x3 one. build.py writes both from this text: it repeats what stands
;; between ;;[ and ;;] for each tap, with its place for DX, DY and its number for TAP.
;;
;; w (rows, channels, taps), rows a multiple of 4. x: maps; `plane` bytes from one channel to the next,
;; `line` from one row of a map to the next; padded for the 3x3 convolution. y: (rows, places), `out`
;; bytes a row. Eight places are worked on at once: `table` says for each eight where in x its first
;; four lie, where the others, and where in y all eight go (bytes). bias 0: there is none.
(func (export "NAME")
  (param $w i32) (param $bias i32) (param $x i32) (param $y i32) (param $rows i32)
  (param $channels i32) (param $plane i32) (param $line i32) (param $out i32)
  (param $table i32) (param $eights i32)
  (local $row i32) (local $eight i32) (local $entry i32) (local $channel i32) (local $wide i32)
  (local $p0 i32) (local $p1 i32) (local $w0 i32) (local $w1 i32) (local $w2 i32) (local $w3 i32)
  (local $to i32) (local $x0 v128) (local $x1 v128) (local $s v128)
  (local $a0 v128) (local $a1 v128) (local $b0 v128) (local $b1 v128)
  (local $c0 v128) (local $c1 v128) (local $d0 v128) (local $d1 v128)
  (local.set $wide (i32.mul (local.get $channels) (i32.const BYTES))) ;; of a row of w
  (loop $each_four_rows
    (local.set $eight (i32.const 0))
    (loop $each_eight
      (local.set $entry (i32.add (local.get $table) (i32.mul (local.get $eight) (i32.const 12))))
      (local.set $p0 (i32.add (local.get $x) (i32.load (local.get $entry))))
      (local.set $p1 (i32.add (local.get $x) (i32.load offset=4 (local.get $entry))))
      (local.set $w0 (i32.add (local.get $w) (i32.mul (local.get $row) (local.get $wide))))
      (local.set $w1 (i32.add (local.get $w0) (local.get $wide)))
      (local.set $w2 (i32.add (local.get $w1) (local.get $wide)))
      (local.set $w3 (i32.add (local.get $w2) (local.get $wide)))
      (if (local.get $bias)
        (then
          (local.set $to (i32.add (local.get $bias) (i32.shl (local.get $row) (i32.const 2))))
          (local.set $a0 (v128.load32_splat (local.get $to)))
          (local.set $b0 (v128.load32_splat offset=4 (local.get $to)))
          (local.set $c0 (v128.load32_splat offset=8 (local.get $to)))
          (local.set $d0 (v128.load32_splat offset=12 (local.get $to))))
        (else
          (local.set $a0 (v128.const f32x4 0 0 0 0)) (local.set $b0 (v128.const f32x4 0 0 0 0))
          (local.set $c0 (v128.const f32x4 0 0 0 0)) (local.set $d0 (v128.const f32x4 0 0 0 0))))
      (local.set $a1 (local.get $a0)) (local.set $b1 (local.get $b0))
      (local.set $c1 (local.get $c0)) (local.set $d1 (local.get $d0))
      (local.set $channel (local.get $channels))
      (loop $each_channel
        ;;[
        (local.set $x0 (v128.load offset=DX (i32.add (local.get $p0) (i32.mul (local.get $line) (i32.const DY)))))
        (local.set $x1 (v128.load offset=DX (i32.add (local.get $p1) (i32.mul (local.get $line) (i32.const DY)))))
        (local.set $s (v128.load32_splat offset=TAP (local.get $w0)))
        (local.set $a0 (f32x4.add (local.get $a0) (f32x4.mul (local.get $s) (local.get $x0))))
        (local.set $a1 (f32x4.add (local.get $a1) (f32x4.mul (local.get $s) (local.get $x1))))
        (local.set $s (v128.load32_splat offset=TAP (local.get $w1)))
        (local.set $b0 (f32x4.add (local.get $b0) (f32x4.mul (local.get $s) (local.get $x0))))
        (local.set $b1 (f32x4.add (local.get $b1) (f32x4.mul (local.get $s) (local.get $x1))))
        (local.set $s (v128.load32_splat offset=TAP (local.get $w2)))
        (local.set $c0 (f32x4.add (local.get $c0) (f32x4.mul (local.get $s) (local.get $x0))))
        (local.set $c1 (f32x4.add (local.get $c1) (f32x4.mul (local.get $s) (local.get $x1))))
        (local.set $s (v128.load32_splat offset=TAP (local.get $w3)))
        (local.set $d0 (f32x4.add (local.get $d0) (f32x4.mul (local.get $s) (local.get $x0))))
        (local.set $d1 (f32x4.add (local.get $d1) (f32x4.mul (local.get $s) (local.get $x1))))
        ;;]
        (local.set $w0 (i32.add (local.get $w0) (i32.const BYTES)))
        (local.set $w1 (i32.add (local.get $w1) (i32.const BYTES)))
        (local.set $w2 (i32.add (local.get $w2) (i32.const BYTES)))
        (local.set $w3 (i32.add (local.get $w3) (i32.const BYTES)))
        (local.set $p0 (i32.add (local.get $p0) (local.get $plane)))
        (local.set $p1 (i32.add (local.get $p1) (local.get $plane)))
        (br_if $each_channel (local.tee $channel (i32.sub (local.get $channel) (i32.const 1)))))
      (local.set $to (i32.add (i32.add (local.get $y) (i32.mul (local.get $row) (local.get $out)))
                              (i32.load offset=8 (local.get $entry))))
      (v128.store (local.get $to) (local.get $a0)) (v128.store offset=16 (local.get $to) (local.get $a1))
      (local.set $to (i32.add (local.get $to) (local.get $out)))
      (v128.store (local.get $to) (local.get $b0)) (v128.store offset=16 (local.get $to) (local.get $b1))
      (local.set $to (i32.add (local.get $to) (local.get $out)))
      (v128.store (local.get $to) (local.get $c0)) (v128.store offset=16 (local.get $to) (local.get $c1))
      (local.set $to (i32.add (local.get $to) (local.get $out)))
      (v128.store (local.get $to) (local.get $d0)) (v128.store offset=16 (local.get $to) (local.get $d1))
      (br_if $each_eight (i32.lt_u (local.tee $eight (i32.add (local.get $eight) (i32.const 1))) (local.get $eights))))
    (br_if $each_four_rows (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 4))) (local.get $rows)))))
