// Events that arrived and wait to be asked for.
'use strict';

class Inbox {
  constructor() {
    this.events = [];
    this.waiting = [];
  }

  add(event) {
    const index = this.waiting.findIndex((one) => one.matches(event));
    if (index < 0) {
      this.events.push(event);
    } else {
      this.waiting.splice(index, 1)[0].resolve(event);
    }
  }

  // The first event that has all members of `wanted`; false after `timeout` seconds.
  next({ timeout = 30, ...wanted } = {}) {
    return this.nextOf([wanted], timeout);
  }

  // The first event that has all members of one of `choices`.
  nextOf(choices, timeout = 30) {
    const matches = (event) => choices.some((wanted) =>
      Object.keys(wanted).every((name) => event[name] === wanted[name]));
    const index = this.events.findIndex(matches);
    if (index >= 0) return Promise.resolve(this.events.splice(index, 1)[0]);
    return new Promise((resolve) => {
      const one = { matches };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(one), 1);
        resolve(false);
      }, timeout * 1000);
      one.resolve = (event) => { clearTimeout(timer); resolve(event); };
      this.waiting.push(one);
    });
  }
}

module.exports = Inbox;
