"use strict";

/** The answers of one rater, kept by the browser so that a reload goes on where it was. */
class Store {
  constructor(study, code) {
    this.name = `talkvid-study ${study} ${code}`;
    this.answers = [];
    this.kept = true;
    try {
      const found = JSON.parse(localStorage.getItem(this.name) || "[]");
      if (Array.isArray(found)) this.answers = found.filter((one) => one && typeof one.trial === "string");
    } catch (error) {
      this.kept = false;
    }
    this.write();
  }

  add(answer) {
    this.answers.push(answer);
    this.write();
  }

  /** Private windows and some settings forbid storage; the page then says so. */
  write() {
    try {
      localStorage.setItem(this.name, JSON.stringify(this.answers));
    } catch (error) {
      this.kept = false;
    }
  }

  has(trial) {
    return this.answers.some((answer) => answer.trial === trial.id);
  }
}

/** The text of the file that a rater hands in. */
function answerText(study, code, answers, complete) {
  const content = { format: "talkvid-study-answers/1", study, rater: code, complete, answers };
  return JSON.stringify(content, null, 1) + "\n";
}

function saveAs(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
