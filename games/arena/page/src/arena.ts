// The arena on the page: one session, drawn frame by frame.
//
// In: a room of the SDK, keys, mouse and touch. Out: pixels, sounds, the HUD. Knows no rule of the game.

import { join, type JoinOptions, loadCore, type Room } from "@tickwire/client";
import type { PageState } from "./automation.js";
import { Camera } from "./camera.js";
import { Controls } from "./controls.js";
import { Effects, type EffectListener } from "./draw/effects.js";
import { Minimap } from "./draw/minimap.js";
import { Rocks } from "./draw/rocks.js";
import { Ships } from "./draw/ships.js";
import { Space } from "./draw/space.js";
import { EffectQueue } from "./effects.js";
import { Board } from "./hud/board.js";
import { ChatBox } from "./hud/chat.js";
import { byId, onTap } from "./hud/dom.js";
import { Feed } from "./hud/feed.js";
import { NetGraph } from "./hud/netgraph.js";
import { Overlay } from "./hud/overlay.js";
import { isMotionReduced } from "./motion.js";
import { Sound } from "./sound.js";
import { Spectator } from "./spectator.js";
import { Steering } from "./steering.js";
import { type BeamFields, type KillEvent, beamOf, readRocks } from "./wire.js";
import { GAME, World, ownSlotOf } from "./world.js";

/** Interval of updating the score board. */
const BOARD_INTERVAL_MS = 250;
/** Longer pauses between frames count as this long, so that animations do not leap after a hitch. */
const MAX_ELAPSED_MS = 100;
/** What the SDK says of prediction for the moment in which the rules are on their way. */
const LOADING = "the rules are loading";
/** Distance at which sounds become inaudible, in units. */
const EARSHOT_UNITS = 900;

export class ArenaPage implements PageState, EffectListener {
  room: Room | undefined;
  hasFailed = false;
  own: { x: number; y: number } | null = null;
  frames = 0;
  shots = 0;

  readonly #canvas = byId("arena", HTMLCanvasElement);
  readonly #context = context2d(this.#canvas);
  readonly #hud = byId("hud", HTMLElement);
  readonly #invite = byId("invite", HTMLButtonElement);
  readonly #hurt = byId("hurt", HTMLElement);
  readonly #camera = new Camera();
  readonly #space = new Space();
  readonly #rocks = new Rocks();
  readonly #ships = new Ships();
  readonly #effects = new Effects();
  readonly #minimap = new Minimap();
  readonly #sound = new Sound();
  readonly #feed = new Feed();
  readonly #board = new Board();
  readonly #netGraph = new NetGraph();
  readonly #chat = new ChatBox((text) => this.room?.chat(text));
  readonly #overlay: Overlay;
  readonly #controls = new Controls(this.#canvas, {
    Enter: () => this.#openChat(),
    NumpadEnter: () => this.#openChat(),
    KeyN: () => this.#hasJoined && this.#netGraph.toggle(),
    KeyM: () => this.#hasJoined && this.#toggleSound(),
  });
  readonly #world = new World();
  readonly #queue = new EffectQueue();
  readonly #spectator = new Spectator();
  readonly #steering = new Steering();
  #hasJoined = false;
  #boardUpdatedAt = 0;
  #lastFrameAt = performance.now();

  /** `joinAgain` and `backToForm`: what the buttons of the {@link Overlay} do. */
  constructor(joinAgain: () => void, backToForm: () => void) {
    this.#overlay = new Overlay(joinAgain, backToForm);
    onTap("tap-chat", () => this.#openChat());
    onTap("tap-sound", () => this.#toggleSound());
    const frame = () => {
      this.#frame();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  async join(options: JoinOptions): Promise<void> {
    const room = await this.#connect(options);
    if (!room) return;
    if (room.game !== GAME) {
      this.#overlay.otherGame(room.game);
      room.leave();
      return;
    }
    this.room = room;
    this.#joined(room, room.isResumed);
    room.onJoined(({ resumed }) => this.#joined(room, resumed));
    room.onChat(({ session, name, text }) => this.#feed.chat(name, text, this.#slotOf(session)));
    room.onNotice(({ text }) => this.#feed.notice(text));
    room.on("beam", (beam, { tick }) => this.#queue.beam(tick, beamOf(beam as BeamFields)), { when: "known" });
    room.on("kill", (kill, { tick }) => this.#killed(tick, kill as KillEvent), { when: "known" });
    const tell = (note: string) => note && note !== LOADING && this.#feed.notice(`Your ship reacts a little late: ${note}.`);
    tell(room.predictionNote);
    room.onPrediction(({ note }) => tell(note));
  }

  /** Loads the core, which takes seconds over a slow network and fails over a broken one, and joins, however long that takes. */
  async #connect(options: JoinOptions): Promise<Room | undefined> {
    this.#overlay.loading();
    try {
      await loadCore();
    } catch (error) {
      console.error(error);
      this.hasFailed = true;
      this.#overlay.loadingFailed();
      return undefined;
    }
    this.#overlay.connecting("");
    try {
      return await join({ ...options, timeoutMs: Infinity, onTrouble: (trouble) => this.#overlay.connecting(trouble) });
    } catch (error) {
      this.refuse(error);
      return undefined;
    }
  }

  /** Says why there is no room to play in. */
  refuse(error: unknown): void {
    this.hasFailed = true;
    this.#overlay.refused(error instanceof Error ? error.message : String(error));
  }

  /** Lets the player copy a link by which others come to this private room. */
  offerInvitation(link: string): void {
    this.#invite.hidden = false;
    onTap("invite", () => void this.#copy(link));
  }

  async #copy(link: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(link);
      this.#feed.notice("The invitation is copied: send it to whoever shall come.");
    } catch {
      // Without TLS, or without permission, there is no clipboard.
      prompt("Send this link to whoever shall come:", link);
    }
  }

  #joined(room: Room, resumed: boolean): void {
    const rocks = readRocks(room.map);
    this.#rocks.rocks = rocks;
    this.#minimap.reset();
    this.#queue.clear();
    this.#queue.rocks = rocks;
    this.#queue.ownPlayer = ownSlotOf(room);
    this.#spectator.clear();
    if (resumed) this.#feed.notice("Back again: same ship, same score.");
    else if (this.#hasJoined) this.#feed.notice("Back in a new ship: the old one is gone, and so is its score.");
    // Buttons pressed earlier were not meant for this ship.
    this.#controls.takePressed();
    this.#hasJoined = true;
    this.#hud.hidden = false;
    this.#hud.classList.toggle("watching", room.player.isSpectator);
  }

  #killed(tick: number, kill: KillEvent): void {
    this.#queue.kill(tick, kill);
    const { killer, victim } = kill;
    const own = this.room && ownSlotOf(this.room);
    this.#feed.kill(this.#world.nameOf(killer), this.#world.nameOf(victim), killer, victim, killer === own || victim === own);
    if (victim === own) this.#overlay.killedBy(this.#world.nameOf(killer));
  }

  #slotOf(session: number): number {
    if (session === 0) return -1;
    return [...this.#world.players.values()].find((player) => player.session === session)?.slot ?? -1;
  }

  #toggleSound(): void {
    this.#feed.notice(this.#sound.toggle() ? "Sound is on." : "Sound is off.");
  }

  #openChat(): void {
    if (this.room?.phase !== "playing") return;
    this.#controls.release();
    this.#chat.open();
  }

  #frame(): void {
    const now = performance.now();
    const elapsedMs = Math.min(MAX_ELAPSED_MS, now - this.#lastFrameAt);
    this.#lastFrameAt = now;
    this.#camera.adaptResolution(elapsedMs);
    this.#camera.fit(this.#canvas);
    const { room } = this;
    if (!room) {
      this.#camera.drift(elapsedMs);
      this.#space.draw(this.#context, this.#camera);
      this.frames++;
      return;
    }
    this.#control(room);
    const world = this.#world;
    world.sample(room);
    const own = world.own?.ship;
    this.own = own ? { x: own.x, y: own.y } : null;
    this.#camera.follow(room.player.isSpectator ? this.#spectator.focus(world, now) : own, elapsedMs);
    this.#draw(world, now, elapsedMs);
    this.#update(room, own !== undefined, now);
    this.frames++;
  }

  #control(room: Room): void {
    const { aim, mouse, held } = this.#controls;
    const at = mouse && this.#camera.worldAt(mouse.x, mouse.y);
    const from = this.own ?? this.#camera;
    const direction = aim ?? (at && { x: at.x - from.x, y: at.y - from.y });
    this.#steering.steer(room, held, this.#controls.takePressed(), direction);
  }

  #draw(world: World, now: number, elapsedMs: number): void {
    const [context, camera] = [this.#context, this.#camera];
    this.#effects.add(this.#queue.take(world), this);
    this.#space.draw(context, camera);
    this.#rocks.draw(context, camera);
    this.#ships.draw(
      context,
      camera,
      world,
      now,
      elapsedMs,
      (x, y, vx, vy, hue) => this.#effects.spark(x, y, vx, vy, hue),
    );
    this.#effects.draw(context, camera, elapsedMs);
    this.#minimap.draw(context, camera, world, this.#rocks);
  }

  #update(room: Room, hasShip: boolean, now: number): void {
    this.#netGraph.update(room.stats, now);
    this.#overlay.update(room, hasShip || room.player.isSpectator, now);
    if (now - this.#boardUpdatedAt < BOARD_INTERVAL_MS) return;
    this.#boardUpdatedAt = now;
    this.#board.show(this.#world.ranking(), ownSlotOf(room));
  }

  beam(x: number, y: number, isOwn: boolean): void {
    const { volume, side } = this.#audibility(x, y);
    if (isOwn) this.shots++;
    this.#sound.beam(isOwn ? 1 : volume, isOwn ? 0 : side, isOwn);
  }

  hit(): void {
    this.#sound.hit();
  }

  wounded(): void {
    this.#sound.wounded();
    this.#camera.shake(9);
    if (isMotionReduced()) return;
    this.#hurt.getAnimations().forEach((animation) => animation.cancel());
    this.#hurt.animate([{ opacity: 0.9 }, { opacity: 0 }], { duration: 420, easing: "ease-out" });
  }

  burst(x: number, y: number, isOwn: boolean): void {
    const { volume, side } = this.#audibility(x, y);
    this.#sound.burst(volume, side);
    this.#camera.shake(isOwn ? 22 : 10 * volume);
  }

  #audibility(x: number, y: number): { volume: number; side: number } {
    const distance = Math.hypot(x - this.#camera.x, y - this.#camera.y);
    return { volume: Math.max(0, 1 - distance / EARSHOT_UNITS), side: (x - this.#camera.x) / EARSHOT_UNITS };
  }
}

function context2d(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("this browser has no 2D canvas");
  return context;
}
