// Python in a worker, so that the page can be used while it computes. scratchgen.python starts one:
//
//   const python = scratchgen.python({files, session, onMessage});
//   python.post({kind: "check", code, width});      answers {kind: "checked", ok, text}
//   python.post({kind: "start", ...settings});      answers {kind: "picture", ...}
//   python.post({kind: "train", lr}), ({kind: "pause"})     answers {kind: "picture", losses, ...} again and again
//   python.end();                                   also ends code that never returns
//
// files : the address of the folder pyodide;  session : the text of session.py
"use strict";

(() => {
  // The text of this function is the worker's script. It uses nothing of the page.
  function work(files, session) {
    const say = (text) => postMessage({ kind: "loading", text });
    const FRAME = 150;          // milliseconds of training between two pictures, at least about
    let module = null, training = null, running = false, rate = 0.002, steps = 4, toJs = null;

    // The interpreter is compressed with gzip. Pyodide asks for it with fetch, without ".gz". It does not pass
    // on an error, so the page is told here.
    const plainFetch = self.fetch;
    self.fetch = async (address, options) => {
      if (!String(address).endsWith(".wasm")) return plainFetch(address, options);
      try {
        return await decompressed(address, options);
      } catch (error) {
        postMessage({ kind: "broken", text: String(error.message || error) });
        throw error;
      }
    };

    async function decompressed(address, options) {
      const answer = await plainFetch(`${address}.gz`, options);
      if (!answer.ok) throw new Error(`${address}.gz: ${answer.status}`);
      let content = await answer.blob();
      const start = new Uint8Array(await content.slice(0, 2).arrayBuffer());
      if (start[0] === 0x1f && start[1] === 0x8b) {     // with Content-Encoding: gzip, the browser has done it
        content = await new Response(content.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
      }
      return new Response(content, { headers: { "Content-Type": "application/wasm" } });
    }

    async function load() {
      importScripts(`${files}pyodide.js`);
      say("Loading Python …");
      const python = await loadPyodide({ indexURL: files, stdout: () => {}, stderr: () => {},
                                         env: { SCRATCHGEN_KERNELS: "reference", HOME: "/home/pyodide" } });
      say("Loading NumPy …");
      await python.loadPackage("numpy", { messageCallback: () => {} });
      say("Loading scratchgen …");
      const answer = await fetch(`${files}scratchgen.zip`);
      if (!answer.ok) throw new Error(`${files}scratchgen.zip: ${answer.status}`);
      const packages = python.runPython("import sysconfig; sysconfig.get_path('purelib')");
      python.unpackArchive(await answer.arrayBuffer(), "zip", { extractDir: packages });
      python.FS.writeFile(`${packages}/session.py`, session);
      module = python.pyimport("session");
      toJs = (proxy) => {
        const value = proxy.toJs({ dict_converter: Object.fromEntries });
        proxy.destroy();
        return value;
      };
      const [version, numpy] = toJs(python.runPython(
        "import sys, numpy; [sys.version.split()[0], numpy.__version__]"));
      postMessage({ kind: "ready", text: `Python ${version} and NumPy ${numpy} are running.` });
    }

    function picture(losses) {
      postMessage({ kind: "picture", losses, ...toJs(training.picture()) });
    }

    function advance() {
      if (!running) return;
      const begun = performance.now(), losses = toJs(training.advance(steps, rate)), trained = performance.now();
      picture(losses);
      // Training takes at least as long as the pictures, however slow the machine is.
      const wanted = Math.max(FRAME, performance.now() - trained), took = Math.max(1, trained - begun);
      steps = Math.max(1, Math.min(100, Math.round(steps * Math.min(2, wanted / took))));
      setTimeout(advance);        // so that a message can arrive in between
    }

    const answers = {
      check({ code, width }) { postMessage({ kind: "checked", ...toJs(module.check_text(code, width)) }); },
      start({ density, couplings, width, seed }) {
        running = false;
        if (training) training.destroy();
        training = module.start(density, couplings, width, seed);
        picture([]);
      },
      train({ lr }) {
        rate = lr;
        if (running) return;
        running = true;
        advance();
      },
      rate({ lr }) { rate = lr; },
      pause() { running = false; },
    };

    onmessage = ({ data }) => {
      try {
        answers[data.kind](data);
      } catch (error) {
        running = false;
        postMessage({ kind: "failed", text: String(error.message || error).trim().split("\n").pop() });
      }
    };
    load().catch((error) => postMessage({ kind: "broken", text: String(error.message || error) }));
  }

  scratchgen.python = ({ files, session, onMessage }) => {
    const text = `(${work})(${JSON.stringify(files)}, ${JSON.stringify(session)});`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.onmessage = ({ data }) => onMessage(data);
    worker.onerror = (event) => {
      event.preventDefault();
      onMessage({ kind: "broken", text: event.message || "the worker could not be started" });
    };
    return {
      post: (message) => worker.postMessage(message),
      end() { worker.terminate(); URL.revokeObjectURL(url); },
    };
  };
})();
