"use strict";

const WHOLE = 0.97; // Share of a video that must have been played; the last picture's time is never reached exactly.

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** One video with its button; it is seen when it has been played from beginning to end at its own pace. */
class Player {
  constructor(file, label, changed, failed) {
    this.plays = 0;
    this.seen = false;
    this.label = label;
    this.changed = changed;
    this.video = make("video", { src: `videos/${file}`, preload: "auto", playsInline: true });
    this.video.disablePictureInPicture = true;
    this.video.setAttribute("disableremoteplayback", "");
    this.bar = make("i");
    this.button = make("button", { type: "button" });
    this.button.addEventListener("click", () => this.play());
    const stage = make("div", { className: "stage" }, this.video);
    this.element = make("div", { className: "player" }, stage, make("div", { className: "bar" }, this.bar), this.button);
    this.video.addEventListener("timeupdate", () => this.draw());
    this.video.addEventListener("ratechange", () => {
      if (this.video.playbackRate !== 1) this.video.playbackRate = 1;
    });
    this.video.addEventListener("contextmenu", (event) => event.preventDefault());
    this.video.addEventListener("error", () => failed());
    this.video.addEventListener("ended", () => this.ended());
    this.video.addEventListener("pause", () => this.draw());
    this.video.addEventListener("playing", () => this.draw());
    this.draw();
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  /** Play from the beginning, or go on where it was paused. */
  play() {
    if (this.playing) return;
    if (this.video.ended) this.video.currentTime = 0;
    this.changed(this);
    const started = this.video.play();
    if (started) started.catch(() => this.draw());
  }

  pause() {
    this.video.pause();
  }

  ended() {
    this.plays += 1;
    const ranges = this.video.played;
    let played = 0;
    for (let index = 0; index < ranges.length; index += 1) played += ranges.end(index) - ranges.start(index);
    if (played >= WHOLE * this.video.duration) this.seen = true;
    this.draw();
    this.changed(null);
  }

  draw() {
    const word = this.playing ? "Playing" : this.plays ? "Replay" : this.video.currentTime > 0 ? "Go on" : "Play";
    this.button.replaceChildren(word, ...(this.label ? [" ", make("b", { textContent: this.label })] : []));
    this.button.disabled = this.playing;
    this.bar.style.width = `${(100 * this.video.currentTime) / (this.video.duration || 1)}%`;
    this.element.classList.toggle("seen", this.seen);
  }

  /** Let go of the file: browsers hold few videos at a time. */
  close() {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.element.remove();
  }
}

/** One question with its buttons. */
class Question {
  constructor(asked, choices, changed) {
    this.key = asked.key;
    this.value = null;
    this.choices = choices;
    this.buttons = choices.map((choice) => {
      const button = make("button", { type: "button", disabled: true });
      if (choice.number) button.append(make("b", { textContent: choice.number }), choice.text);
      else button.textContent = choice.text;
      button.addEventListener("click", () => this.choose(choice.value));
      return button;
    });
    this.changed = changed;
    const group = make("div", { className: "choices" }, ...this.buttons);
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", asked.text);
    this.element = make("div", { className: "question" }, make("span", { textContent: asked.text }), group);
  }

  choose(value) {
    this.value = value;
    this.changed(this);
  }

  draw(open, now) {
    this.element.classList.toggle("now", open && now);
    this.element.classList.toggle("locked", !open);
    this.buttons.forEach((button, index) => {
      button.disabled = !open;
      button.setAttribute("aria-pressed", String(this.choices[index].value === this.value));
    });
  }
}

/** One screen: its videos must have been seen before its questions open. */
class TrialScreen {
  constructor(study, trial, finished) {
    this.trial = trial;
    this.finished = finished;
    this.began = performance.now();
    this.order = [];
    const two = trial.videos.length === 2;
    const labels = two ? ["A", "B"] : [""];
    this.broken = false;
    this.players = trial.videos.map(
      (file, index) => new Player(file, labels[index], (player) => this.played(player), () => this.failed())
    );
    const choices = two
      ? [{ value: "a", text: "A" }, { value: "same", text: "no difference" }, { value: "b", text: "B" }]
      : study.scale.map((text, index) => ({ value: index + 1, number: String(index + 1), text }));
    this.keys = two
      ? { a: "a", ArrowLeft: "a", 1: "a", ArrowDown: "same", 2: "same", n: "same", b: "b", ArrowRight: "b", 3: "b" }
      : { 1: 1, 2: 2, 3: 3, 4: 4, 5: 5 };
    this.questions = study.questions.map((asked) => new Question(asked, choices, (question) => this.answered(question)));
    const videos = document.getElementById("videos");
    videos.className = two ? "two" : "one";
    videos.style.setProperty("--aspect", study.aspect);
    videos.replaceChildren(...this.players.map((player) => player.element));
    const questions = document.getElementById("questions");
    questions.className = two ? "" : "scale";
    questions.replaceChildren(...this.questions.map((question) => question.element));
    const person = document.getElementById("person");
    person.hidden = !trial.person;
    if (trial.person) person.querySelector("img").src = `people/${trial.person}`;
    document.getElementById("keys").textContent = two
      ? "Keys: space plays, \u2190 A, \u2193 no difference, \u2192 B, backspace takes back, enter goes on"
      : "Keys: space plays, 1 to 5 answer, backspace takes back, enter goes on";
    this.draw();
  }

  get open() {
    return !this.broken && this.players.every((player) => player.seen);
  }

  get complete() {
    return this.broken || (this.open && this.questions.every((question) => question.value !== null));
  }

  /** Only one of two videos plays at a time. */
  played(player) {
    if (player) this.players.forEach((other) => other !== player && other.pause());
    this.draw();
  }

  failed() {
    this.broken = true;
    this.draw();
  }

  answered(question) {
    this.order = [...this.order.filter((other) => other !== question), question];
    this.draw();
  }

  next() {
    if (!this.complete) return;
    const answer = {
      trial: this.trial.id,
      seconds: Math.round((performance.now() - this.began) / 100) / 10,
      plays: this.players.map((player) => player.plays),
    };
    if (this.broken) answer.unplayable = true;
    else answer.values = Object.fromEntries(this.questions.map((question) => [question.key, question.value]));
    this.close();
    this.finished(answer);
  }

  close() {
    this.closed = true;
    this.players.forEach((player) => player.close());
  }

  /** What keys do; returns whether the key meant something. */
  press(key) {
    const letter = key.length === 1 ? key.toLowerCase() : key;
    if (key === " ") {
      const waiting = this.players.find((player) => !player.seen) || this.players[0];
      if (!this.players.some((player) => player.playing)) waiting.play();
    } else if (key === "Enter") {
      this.next();
    } else if (key === "Backspace") {
      const last = this.order.pop();
      if (last) last.value = null;
      this.draw();
    } else if (this.open && letter in this.keys) {
      const question = this.questions.find((one) => one.value === null);
      if (question) question.choose(this.keys[letter]);
    } else {
      return false;
    }
    return true;
  }

  draw() {
    if (this.closed) return;
    const now = this.questions.find((question) => question.value === null);
    this.questions.forEach((question) => question.draw(this.open, question === now));
    // On a small screen the questions lie below the videos.
    if (this.open && now && now !== this.shown) now.element.scrollIntoView({ block: "nearest" });
    if (this.open) this.shown = now;
    const hint = document.getElementById("hint");
    if (this.broken) hint.textContent = "A video of this trial cannot be played here. Go on with the next one.";
    else if (!this.open) hint.textContent = this.players.length === 2 ? "Play both videos to the end, then answer." : "Play the video to the end, then answer.";
    else hint.textContent = "";
    document.getElementById("next").disabled = !this.complete;
  }
}
