// Two buttons, the camera's picture, and a line that says what is going on. What is chosen or taken goes to the
// kernel as it is, in pieces: Jupyter's server closes the connection at a message of 10 MB, and says nothing.

const HERE = "You can still choose photographs.";
const REFUSED = {
  NotAllowedError: "The browser was not allowed to use the camera: its settings for this page can change that.",
  NotFoundError: "The browser finds no camera.",
  NotReadableError: "The camera cannot be used now: perhaps another program is using it.",
};

function made(kind, words, parent) {
  const part = document.createElement(kind);
  part.textContent = words;
  if (kind === "button") part.className = "jupyter-widgets jupyter-button widget-button";
  parent.append(part);
  return part;
}

function render({ model, el }) {
  el.classList.add("photograph-upload");
  const choose = made("button", "Choose photographs …", el);
  const open = made("button", "Use the camera", el);
  const said = made("div", "", el);
  said.setAttribute("role", "status");
  const files = document.createElement("input");
  Object.assign(files, { type: "file", accept: "image/*", multiple: true });
  const camera = cameraOf(el, open, said, (picture) => send([picture]));

  let last; // the number of the file that was sent last
  let sending = Promise.resolve(); // one after another, whatever is chosen meanwhile
  function send(chosen) {
    chosen.forEach((file, place) => {
      sending = sending.then(() => sendOne(file, place === 0)).catch((error) => {
        said.textContent = `${file.name} was not sent (${error.message}). If no file is, run this cell again.`;
      });
    });
  }

  async function sendOne(file, first) {
    last = `${performance.timeOrigin + performance.now()}`;
    const head = { number: last, name: file.name, size: file.size, first };
    said.textContent = `${file.name} is on its way. If nothing comes though no cell runs, run this cell again.`;
    const most = model.get("piece");
    const end = file.size > model.get("largest") ? 0 : file.size; // of one that is too large, its name alone
    for (let start = 0; start === 0 || start < end; start += most) {
      const piece = await file.slice(start, Math.min(start + most, end)).arrayBuffer();
      model.send({ ...head, last: start + most >= end }, undefined, [piece]);
    }
  }

  const arrived = ({ number }) => {
    if (number === last) said.textContent = "";
  };
  choose.onclick = () => files.click();
  files.onchange = () => {
    send([...files.files]);
    files.value = ""; // so that the same file can be chosen again
  };
  model.on("msg:custom", arrived);
  return () => {
    model.off("msg:custom", arrived);
    camera.close();
  };
}

function cameraOf(el, open, said, taken) {
  const box = made("div", "", el);
  const video = document.createElement("video");
  Object.assign(video, { autoplay: true, muted: true, playsInline: true });
  video.setAttribute("aria-label", "what the camera sees");
  box.append(video);
  const take = made("button", "Take the picture", box);
  const stop = made("button", "Close the camera", box);
  let stream;
  let wanted = false; // the reader may go away while the browser still asks

  function close() {
    wanted = false;
    stream?.getTracks().forEach((track) => track.stop());
    stream = video.srcObject = null;
    box.hidden = true;
    open.disabled = false;
  }

  async function start() {
    if (!navigator.mediaDevices) {
      said.textContent = `Browsers give no camera to a page at http://, unless it is on this computer. ${HERE}`;
      return;
    }
    said.textContent = "";
    open.disabled = wanted = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: 1280 } });
      if (!wanted) return close();
      stream.getTracks().forEach((track) => (track.onended = close)); // unplugged
      video.srcObject = stream;
      take.disabled = true;
      box.hidden = false;
    } catch (error) {
      close();
      said.textContent = `${REFUSED[error.name] ?? `There is no camera: ${error.message}.`} ${HERE}`;
    }
  }

  function picture() {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    close();
    canvas.toBlob((blob) => taken(new File([blob], "from the camera")), "image/jpeg", 0.95);
  }

  video.onloadeddata = () => (take.disabled = false);
  open.onclick = start;
  take.onclick = picture;
  stop.onclick = close;
  close();
  return { close };
}

export default { render };
