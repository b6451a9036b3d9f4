// The network runs here, so that the page answers while it draws. What it is handed comes from the page, never from a network.
let session = null;
let ort = null;

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function start({ engine, script, binary, model }) {
  const code = new Blob([await unpacked(script)], { type: "text/javascript" });
  ort = await import(URL.createObjectURL(code));
  ort.env.wasm.numThreads = 1; // more would need headers that a plain server does not send
  ort.env.wasm.wasmBinary = (await unpacked(binary)).buffer;
  ort.env.logLevel = "error";
  const options = { executionProviders: [engine], graphOptimizationLevel: "all", logSeverityLevel: 3 }; // errors alone
  session = await ort.InferenceSession.create(model, options);
}

async function draw({ glyphs, planes, size, weights }) {
  const fed = {
    glyphs: new ort.Tensor("uint8", glyphs, [1, planes, size, size]),
    style: new ort.Tensor("float32", weights, [1, weights.length]),
  };
  const wanted = Object.fromEntries(session.inputNames.map((name) => [name, fed[name]]));
  const { drawn } = await session.run(wanted);
  return { drawn: await drawn.getData() };
}

self.onmessage = async ({ data }) => {
  const { id, task, ...given } = data;
  const began = performance.now();
  try {
    const answer = task === "start" ? await start(given) : await draw(given);
    self.postMessage({ id, ...answer, took: performance.now() - began });
  } catch (error) {
    self.postMessage({ id, failed: String((error && error.message) || error) });
  }
};
