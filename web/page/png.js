// A picture as a PNG file with its settings in it, under the names that the course's gallery uses.

function chunk(kind, content) {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(content, 8);
  let crc = ~0;
  for (const byte of bytes.subarray(4, 8 + content.length)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  view.setUint32(8 + content.length, ~crc);
  return bytes;
}

/** Return the bytes of a PNG, `texts` put in behind its header: {name: text}, any language. */
export function withTexts(png, texts) {
  const HEADER = 8 + 25; // the signature and IHDR
  const chunks = Object.entries(texts).map(([name, text]) =>
    chunk("iTXt", new TextEncoder().encode(`${name}\0\0\0\0\0${text}`)));
  return new Blob([png.slice(0, HEADER), ...chunks, png.slice(HEADER)], { type: "image/png" });
}
