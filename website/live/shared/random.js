// Seeded random numbers: xoshiro128** (Blackman & Vigna 2018) with a state of four words from splitmix32, and
// standard normal numbers by the polar method (Marsaglia & Bray 1964). The numbers differ from NumPy's for the
// same seed; a test that compares with the library passes the noise in.
//
//   const rng = scratchgen.random(7);
//   rng.uniform()            in [0, 1), 32 bits
//   rng.normal()             N(0, 1)
//   rng.integer(n)           0 ... n - 1
//   rng.normals(n)           Float32Array of n normal numbers
//   rng.state(), rng.restore(state)
"use strict";

(() => {
  const rotate = (x, k) => (x << k) | (x >>> (32 - k));

  scratchgen.random = (seed) => {
    let mix = seed >>> 0, spare = null;
    const words = new Uint32Array(4).map(() => {
      mix = (mix + 0x9e3779b9) >>> 0;
      let z = mix;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    });

    function bits() {
      const result = Math.imul(rotate(Math.imul(words[1], 5), 7), 9) >>> 0, shifted = words[1] << 9;
      words[2] ^= words[0];
      words[3] ^= words[1];
      words[1] ^= words[2];
      words[0] ^= words[3];
      words[2] ^= shifted;
      words[3] = rotate(words[3], 11);
      return result;
    }

    const rng = {
      uniform: () => bits() / 4294967296,
      integer: (n) => Math.floor(rng.uniform() * n),
      normal() {
        if (spare !== null) {
          const value = spare;
          spare = null;
          return value;
        }
        let u, v, s;
        do {
          u = 2 * rng.uniform() - 1;
          v = 2 * rng.uniform() - 1;
          s = u * u + v * v;
        } while (s >= 1 || s === 0);
        const scale = Math.sqrt(-2 * Math.log(s) / s);
        spare = v * scale;
        return u * scale;
      },
      normals: (n) => Float32Array.from({ length: n }, rng.normal),
      state: () => ({ words: [...words], spare }),
      restore(state) { words.set(state.words); spare = state.spare; },
    };
    return rng;
  };
})();
