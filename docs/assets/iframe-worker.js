// Search runs in a worker, and browsers start no worker for a page that was opened from a folder. There a hidden frame
// does the same work under the same name: it runs the worker's script and passes its messages on.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      this.inner = frame.contentWindow;
      this.inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const run = (source) =>
        new Promise((resolve, reject) => {
          const script = frame.contentDocument.createElement("script");
          Object.assign(script, { src: new URL(source, new URL(url, location.href)), async: false, onload: resolve, onerror: reject });
          frame.contentDocument.body.appendChild(script);
        });
      this.inner.importScripts = (...sources) => Promise.all(sources.map(run));
      this.ready = run("");
    }
    postMessage(data) {
      this.ready.then(() => this.inner.dispatchEvent(new this.inner.MessageEvent("message", { data })));
    }
  };
}
