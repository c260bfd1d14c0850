/* Reading fragmented MP4 (ISO/IEC 14496-12): only what the player needs.
 *
 * Init segments give tracks and decoder configuration, fragments give samples. All times come out in seconds of
 * UTC since the Unix epoch, because the recorder writes absolute decode times (tfdt). Bytes are never copied:
 * everything is a view on what arrived. A box that claims more than it has throws RangeError.
 */

const NON_SYNC_SAMPLE = 0x00010000; // sample_is_non_sync_sample, 8.8.3.1

const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const fourcc = (data, at) =>
  String.fromCharCode(data.getUint8(at), data.getUint8(at + 1), data.getUint8(at + 2), data.getUint8(at + 3));

/** Size of the box at `at`, or 0 when its header isn't whole yet. */
function boxSize(data, at) {
  if (at + 8 > data.byteLength) return 0;
  const size = data.getUint32(at);
  if (size !== 1) return size;
  if (at + 16 > data.byteLength) return 0;
  return data.getUint32(at + 8) * 2 ** 32 + data.getUint32(at + 12);
}

/** Child boxes of `bytes[from:]` as {type, body, bytes}. */
export function* boxes(bytes, from = 0) {
  const data = view(bytes);
  let at = from;
  while (at + 8 <= bytes.length) {
    const size = boxSize(data, at);
    const header = data.getUint32(at) === 1 ? 16 : 8;
    if (size < header || at + size > bytes.length) throw new RangeError(`box of ${size} bytes at ${at}`);
    yield { type: fourcc(data, at + 4), at, body: bytes.subarray(at + header, at + size), bytes: bytes.subarray(at, at + size) };
    at += size;
  }
}

const child = (bytes, type, from = 0) => {
  for (const box of boxes(bytes, from)) if (box.type === type) return box.body;
  return null;
};

function readEntry(stsd) {
  const entry = boxes(stsd, 8).next().value;
  if (!entry) return { entry: "" };
  const isVideo = ["avc1", "avc3", "hvc1", "hev1", "mp4v", "encv"].includes(entry.type);
  if (!isVideo) return { entry: entry.type };
  const data = view(entry.body);
  const out = { entry: entry.type, width: data.getUint16(24), height: data.getUint16(26), description: null };
  for (const box of boxes(entry.body, 78)) {
    if (box.type === "avcC" || box.type === "hvcC") out.description = box.body;
  }
  return out;
}

/** Tracks of an init segment: {video, audio}, each {id, timescale, entry, width, height, description} or null. */
export function parseInit(bytes) {
  const moov = child(bytes, "moov");
  const tracks = { video: null, audio: null };
  if (!moov) return tracks;
  for (const trak of boxes(moov)) {
    if (trak.type !== "trak") continue;
    const tkhd = child(trak.body, "tkhd");
    const mdia = child(trak.body, "mdia");
    const mdhd = view(child(mdia, "mdhd"));
    const handler = fourcc(view(child(mdia, "hdlr")), 8);
    const track = {
      id: view(tkhd).getUint32(tkhd[0] === 1 ? 20 : 12),
      timescale: mdhd.getUint32(mdhd.getUint8(0) === 1 ? 20 : 12),
      ...readEntry(child(child(child(mdia, "minf"), "stbl"), "stsd")),
    };
    if (handler === "vide") tracks.video = track;
    if (handler === "soun") tracks.audio = track;
  }
  return tracks;
}

function readTraf(traf, moofAt, bytes, timescales) {
  let track = 0;
  let base = moofAt;
  let decodeTime = 0;
  const defaults = { duration: 0, size: 0, flags: 0 };
  const samples = [];
  for (const box of boxes(traf)) {
    const data = view(box.body);
    if (box.type === "tfhd") {
      const flags = data.getUint32(0) & 0xffffff;
      track = data.getUint32(4);
      let at = 8;
      if (flags & 0x1) { base = data.getUint32(at) * 2 ** 32 + data.getUint32(at + 4); at += 8; }
      if (flags & 0x2) at += 4;
      if (flags & 0x8) { defaults.duration = data.getUint32(at); at += 4; }
      if (flags & 0x10) { defaults.size = data.getUint32(at); at += 4; }
      if (flags & 0x20) defaults.flags = data.getUint32(at);
    } else if (box.type === "tfdt") {
      decodeTime = data.getUint8(0) === 1 ? data.getUint32(4) * 2 ** 32 + data.getUint32(8) : data.getUint32(4);
    } else if (box.type === "trun") {
      readTrun(data, base, defaults, samples);
    }
  }
  const timescale = timescales[track] || 90000;
  let ticks = decodeTime;
  for (const sample of samples) {
    sample.dts = ticks / timescale;
    sample.pts = (ticks + sample.offsetTicks) / timescale;
    sample.duration = sample.ticks / timescale;
    sample.data = bytes.subarray(sample.at, sample.at + sample.size);
    ticks += sample.ticks;
  }
  return { track, samples, end: ticks / timescale };
}

function readTrun(data, base, defaults, samples) {
  const flags = data.getUint32(0) & 0xffffff;
  const count = data.getUint32(4);
  if (count > 10000) throw new RangeError(`${count} samples in one fragment`);
  let at = 8;
  let position = base;
  let firstFlags = null;
  if (flags & 0x1) { position = base + data.getInt32(at); at += 4; }
  if (flags & 0x4) { firstFlags = data.getUint32(at); at += 4; }
  for (let n = 0; n < count; n += 1) {
    const sample = { ticks: defaults.duration, size: defaults.size, offsetTicks: 0, at: position };
    let sampleFlags = n === 0 && firstFlags !== null ? firstFlags : defaults.flags;
    if (flags & 0x100) { sample.ticks = data.getUint32(at); at += 4; }
    if (flags & 0x200) { sample.size = data.getUint32(at); at += 4; }
    if (flags & 0x400) { sampleFlags = data.getUint32(at); at += 4; }
    if (flags & 0x800) { sample.offsetTicks = data.getInt32(at); at += 4; }
    sample.isKey = !(sampleFlags & NON_SYNC_SAMPLE);
    position += sample.size;
    samples.push(sample);
  }
}

/** One moof+mdat: [{track, samples: [{dts, pts, duration, isKey, data}], end}], one per traf; times in seconds. */
export function parseFragment(bytes, timescales) {
  const trafs = [];
  for (const box of boxes(bytes)) {
    if (box.type !== "moof") continue;
    for (const inner of boxes(box.body)) {
      if (inner.type === "traf") trafs.push(readTraf(inner.body, box.at, bytes, timescales));
    }
  }
  return trafs;
}

/** `{[track id]: ticks per second}` of parsed tracks. */
export function timescalesOf(tracks) {
  const out = {};
  for (const track of [tracks.video, tracks.audio]) if (track) out[track.id] = track.timescale;
  return out;
}

/** Cuts a byte stream into whole parts: {kind: "init"|"fragment", bytes}. */
export class Mp4Stream {
  constructor() {
    this.rest = new Uint8Array(0);
  }

  feed(bytes) {
    let all = bytes;
    if (this.rest.length) {
      all = new Uint8Array(this.rest.length + bytes.length);
      all.set(this.rest);
      all.set(bytes, this.rest.length);
    }
    const parts = [];
    const data = view(all);
    let start = 0;
    let at = 0;
    for (;;) {
      const size = boxSize(data, at);
      if (size && size < 8) throw new RangeError(`box of ${size} bytes`);
      if (!size || at + size > all.length) break;
      const type = fourcc(data, at + 4);
      at += size;
      if (type === "ftyp" || type === "styp" || type === "moof") continue;
      if (type === "moov") parts.push({ kind: "init", bytes: all.subarray(start, at) });
      else if (type === "mdat") parts.push({ kind: "fragment", bytes: all.subarray(start, at) });
      start = at;
    }
    this.rest = all.subarray(start);
    return parts;
  }
}

/** The codecs named in a MIME type: `video/mp4; codecs="avc1.64001f, mp4a.40.2"` -> ["avc1.64001f", "mp4a.40.2"]. */
export function codecsOf(mime) {
  const match = /codecs\s*=\s*"?([^";]*)"?/.exec(mime || "");
  return match ? match[1].split(",").map((codec) => codec.trim()).filter(Boolean) : [];
}

export function sameBytes(a, b) {
  if (!a || !b || a.length !== b.length) return false;
  for (let n = 0; n < a.length; n += 1) if (a[n] !== b[n]) return false;
  return true;
}

export function joinBytes(parts) {
  if (parts.length === 1) return parts[0];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
