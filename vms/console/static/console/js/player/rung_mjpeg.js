/* Rung 3: JPEG pictures in one multipart answer. Works in everything that shows an image; the picture's time is not known.
 *
 * The parts are read here instead of by an <img>, so that each picture's arrival is known and a broken answer is noticed.
 */

const MOST_HEADER_BYTES = 4096;
const MOST_PICTURE_BYTES = 8_000_000;

const text = new TextDecoder("latin1");

function find(bytes, pattern, from = 0) {
  outer: for (let at = from; at + pattern.length <= bytes.length; at += 1) {
    for (let n = 0; n < pattern.length; n += 1) if (bytes[at + n] !== pattern[n]) continue outer;
    return at;
  }
  return -1;
}

const HEADER_END = new TextEncoder().encode("\r\n\r\n");

/** Cuts a multipart/x-mixed-replace body into pictures by their Content-Length (RFC 2046, 5.1). */
export class PictureCutter {
  constructor() {
    this.rest = new Uint8Array(0);
  }

  feed(bytes) {
    const all = new Uint8Array(this.rest.length + bytes.length);
    all.set(this.rest);
    all.set(bytes, this.rest.length);
    const pictures = [];
    let at = 0;
    for (;;) {
      const end = find(all.subarray(0, at + MOST_HEADER_BYTES), HEADER_END, at);
      if (end < 0) {
        if (all.length - at > MOST_HEADER_BYTES) throw new RangeError("no picture in the answer");
        break;
      }
      const length = Number(/content-length:\s*(\d+)/i.exec(text.decode(all.subarray(at, end)))?.[1]);
      if (!(length > 0 && length < MOST_PICTURE_BYTES)) throw new RangeError("picture of unknown length");
      const start = end + HEADER_END.length;
      if (start + length > all.length) break;
      pictures.push(all.slice(start, start + length));
      at = start + length;
    }
    this.rest = all.slice(at);
    return pictures;
  }
}

export class MjpegRung {
  static rung = "mjpeg";
  static isAvailable = () => true;

  constructor({ onPicture, onFail }) {
    Object.assign(this, { onPicture, onFail });
    this.surface = document.createElement("canvas");
    this.context = this.surface.getContext("2d", { alpha: false });
    this.dropped = 0;
    this.aborter = new AbortController();
  }

  /** `socketUrl`: the signed live address; the pictures lie next to it. */
  open(socketUrl) {
    const url = new URL(socketUrl);
    url.protocol = url.protocol.replace("ws", "http");
    url.pathname = url.pathname.replace(/live$/, "live.mjpeg");
    this.run(url.href).catch(() => this.isClosed || this.onFail("mjpeg"));
  }

  async run(url) {
    const response = await fetch(url, { signal: this.aborter.signal, credentials: "omit" });
    if (!response.ok) throw new Error(String(response.status));
    const reader = response.body.getReader();
    const cutter = new PictureCutter();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("ended");
      const pictures = cutter.feed(value);
      this.dropped += Math.max(0, pictures.length - 1);
      if (pictures.length) await this.show(pictures.at(-1));
    }
  }

  async show(picture) {
    const image = await createImageBitmap(new Blob([picture], { type: "image/jpeg" }));
    if (this.isClosed) return;
    const { surface } = this;
    if (surface.width !== image.width || surface.height !== image.height) Object.assign(surface, { width: image.width, height: image.height });
    this.context.drawImage(image, 0, 0);
    image.close();
    this.onPicture(null);
  }

  close() {
    this.isClosed = true;
    this.aborter.abort();
  }
}
