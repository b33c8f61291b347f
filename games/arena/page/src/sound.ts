// Synthesized sounds, without files. Silent until the first click, as browsers demand.

import { recall, remember } from "./memory.js";

const STORAGE_KEY = "tickwire.sound";
const VOLUME = 0.25;

export class Sound {
  isOn = recall(STORAGE_KEY) !== "off";
  #context: AudioContext | undefined;
  #out: GainNode | undefined;
  #noise: AudioBuffer | undefined;

  constructor() {
    addEventListener("pointerdown", () => this.#start(), { once: true });
    // A touch counts as an activation only when it is lifted.
    addEventListener("pointerup", () => void this.#context?.resume(), { once: true });
  }

  toggle(): boolean {
    this.isOn = !this.isOn;
    remember(STORAGE_KEY, this.isOn ? "on" : "off");
    return this.isOn;
  }

  /** `volume` 0 to 1, `side` -1 (left) to 1 (right). */
  beam(volume: number, side: number, isOwn: boolean): void {
    this.#tone("sawtooth", isOwn ? 1250 : 950, isOwn ? 260 : 180, 0.13, volume * 0.35, side);
  }

  hit(): void {
    this.#tone("square", 1750, 1300, 0.06, 0.22, 0);
  }

  wounded(): void {
    this.#tone("triangle", 190, 70, 0.22, 0.8, 0);
  }

  burst(volume: number, side: number): void {
    const [context, out] = [this.#context, this.#out];
    if (!context || !out || !this.isOn || !this.#noise) return;
    const source = context.createBufferSource();
    source.buffer = this.#noise;
    const filter = context.createBiquadFilter();
    filter.frequency.setValueAtTime(1400, context.currentTime);
    filter.frequency.exponentialRampToValueAtTime(90, context.currentTime + 0.7);
    source.connect(filter).connect(this.#fade(context, out, 0.75, volume, side));
    source.start();
  }

  #start(): void {
    const context = new AudioContext();
    const out = context.createGain();
    out.gain.value = VOLUME;
    out.connect(context.destination);
    const noise = context.createBuffer(1, context.sampleRate, context.sampleRate);
    const samples = noise.getChannelData(0);
    for (let at = 0; at < samples.length; at++) samples[at] = Math.random() * 2 - 1;
    [this.#context, this.#out, this.#noise] = [context, out, noise];
  }

  #tone(type: OscillatorType, from: number, to: number, seconds: number, volume: number, side: number): void {
    const [context, out] = [this.#context, this.#out];
    if (!context || !out || !this.isOn || volume < 0.01) return;
    const oscillator = context.createOscillator();
    oscillator.type = type;
    oscillator.frequency.setValueAtTime(from, context.currentTime);
    oscillator.frequency.exponentialRampToValueAtTime(to, context.currentTime + seconds);
    oscillator.connect(this.#fade(context, out, seconds, volume, side));
    oscillator.start();
    oscillator.stop(context.currentTime + seconds);
  }

  #fade(context: AudioContext, out: AudioNode, seconds: number, volume: number, side: number): AudioNode {
    const gain = context.createGain();
    gain.gain.setValueAtTime(Math.max(0.001, volume), context.currentTime);
    gain.gain.exponentialRampToValueAtTime(0.001, context.currentTime + seconds);
    const pan = context.createStereoPanner();
    pan.pan.value = Math.max(-1, Math.min(1, side));
    gain.connect(pan).connect(out);
    return gain;
  }
}
