// Proof of work for the sign-up form, only when the server asks for it: find n so that SHA-256("challenge:n") starts with
// so many zero bits. It begins when the address is typed, runs in slices so that the page never stutters, and is done
// (about 65,000 hashes) before most people reach the button.
(() => {
  "use strict";

  const K = new Uint32Array([
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
  ]);
  const W = new Uint32Array(64);

  // SHA-256 (FIPS 180-4) of ASCII text; returns its first 32 bits, enough for every difficulty that is asked.
  // Not crypto.subtle: that answers by promise, one per hash, and is missing on pages without https.
  function firstWord(text) {
    const length = text.length;
    const blocks = ((length + 8) >> 6) + 1;
    const h = new Uint32Array([0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]);
    for (let block = 0; block < blocks; block++) {
      for (let i = 0; i < 16; i++) {
        let word = 0;
        for (let j = 0; j < 4; j++) {
          const at = block * 64 + i * 4 + j;
          word = (word << 8) | (at < length ? text.charCodeAt(at) & 255 : at === length ? 128 : 0);
        }
        W[i] = word;
      }
      if (block === blocks - 1) W[15] = length * 8;
      for (let i = 16; i < 64; i++) {
        const a = W[i - 15], b = W[i - 2];
        const s0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
        const s1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
        W[i] = W[i - 16] + s0 + W[i - 7] + s1;
      }
      let [a, b, c, d, e, f, g, k] = h;
      for (let i = 0; i < 64; i++) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (k + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        k = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
      }
      h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += k;
    }
    return h[0];
  }

  function solve(challenge, difficulty, done) {
    let n = 0;
    (function slice() {
      const until = performance.now() + 12;
      while (performance.now() < until) {
        for (let i = 0; i < 64; i++, n++) {
          if (firstWord(`${challenge}:${n}`) >>> (32 - difficulty) === 0) return done(String(n));
        }
      }
      setTimeout(slice);
    })();
  }

  for (const form of document.querySelectorAll("form.sign-up[data-challenge]")) {
    const proof = form.elements.namedItem("proof");
    const working = form.querySelector("[data-working]");
    let begun = false, wanted = false;
    const begin = () => {
      if (begun) return;
      begun = true;
      solve(form.dataset.challenge, Number(form.dataset.difficulty), (n) => {
        proof.value = n;
        if (wanted) form.submit();
      });
    };
    form.addEventListener("focusin", begin);
    form.addEventListener("submit", (event) => {
      if (proof.value) return;
      event.preventDefault();
      wanted = true;
      if (working) working.hidden = false;
      begin();
    });
  }
})();
