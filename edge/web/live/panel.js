// The newest part of a station. Everything is dimmed as soon as it may no longer be true.
const CHECK_MS = 250, LOAD_MS = 5000, FLASH_MS = 2000, FROZEN_MS = 5000;

const late = () => new Promise((_, reject) => setTimeout(reject, LOAD_MS, new Error("late")));

export default {
  props: { texts: Object, tile: Boolean, heat: Boolean, limit: Number },
  data: () => ({ now: {}, picture: {}, lost: false, frozen: false, flashes: 0 }),
  template: `
<div class="live-panel" :class="{ 'live-stale': lost || now.stale }">
  <div class="live-verdict" :class="lost ? 'state-bad' : now.classes">
    <div v-if="flashes && !lost" :key="flashes" class="live-flash"></div>
    <q-icon :name="lost ? 'cloud_off' : now.icon" aria-hidden="true" />
    <div>
      <div class="live-word">{{ lost ? texts.lost : now.word }}</div>
      <div class="live-why">{{ lost ? texts.why : now.why }}</div>
    </div>
  </div>
  <div class="live-part number" v-if="!tile">
    <span>{{ now.part }}</span><span class="live-age">{{ lost ? "" : now.age }}</span>
  </div>
  <div class="live-score" v-if="!tile && now.scoreText">
    <div class="live-bar" role="img" :aria-label="now.scoreText" :class="now.barClass">
      <div class="live-fill" :style="{ width: (now.fill || 0) * 100 + '%' }"></div>
      <div class="live-mark"></div>
    </div>
    <span class="number">{{ now.scoreText }}</span>
  </div>
  <figure class="live-picture" :class="[picture.classes, { 'live-frozen': frozen }]" :data-shown="picture.key">
    <div class="live-frame" :style="{ '--ratio': (picture.width || 4) / (picture.height || 3) }">
      <div ref="holder" class="live-holder"></div>
      <svg v-if="heat" class="live-filter" width="0" height="0" aria-hidden="true">
        <filter id="live-heat"><feColorMatrix values="1 0 0 0 0  0 0.4 0 0 0  0 0 0 0 0  0 0 0 1 0" /></filter>
      </svg>
      <svg v-if="picture.outline && !tile" class="live-outline" aria-hidden="true"
           :viewBox="'0 0 ' + picture.width + ' ' + picture.height">
        <path :d="picture.outline" class="live-halo" /><path :d="picture.outline" />
      </svg>
      <div class="live-old" v-if="lost || now.veil || frozen">
        {{ lost ? texts.lost : now.veil || texts.frozen }}
      </div>
    </div>
    <figcaption class="number" v-if="!tile">{{ picture.label }}</figcaption>
  </figure>
</div>`,
  mounted() {
    this.heard = performance.now();
    this.timer = setInterval(this.check, CHECK_MS);
  },
  unmounted() {
    clearInterval(this.timer);
  },
  watch: {
    heat() {
      if (this.picture.key) this.load(this.picture);
    },
  },
  methods: {
    show(now) {
      this.heard = performance.now();
      this.check();
      if (now.reject !== this.now.reject && this.now.word) this.flash();
      this.now = now;
      if (now.picture && now.picture.key !== this.picture.key) this.announced ??= performance.now();
      if (now.picture && now.picture.key + now.picture.outline + now.picture.label !== this.wanted) this.load(now.picture);
      this.$nextTick(() => this.$emit("shown"));
    },
    check() {
      this.lost = !window.socket?.connected || performance.now() - this.heard > this.limit;
      this.frozen = performance.now() > (this.announced ?? Infinity) + FROZEN_MS;
      document.body.classList.toggle("live-lost", this.lost);
    },
    flash() {
      if (performance.now() < (this.flashed || 0) + FLASH_MS) return;
      this.flashed = performance.now();
      this.flashes += 1;
    },
    async load(picture) {
      this.wanted = picture.key + picture.outline + picture.label;
      this.next = picture;
      if (this.loading) return; // a slow browser goes on with the newest one
      this.loading = true;
      while (this.next) {
        const one = this.next;
        this.next = null;
        await this.replace(one).catch(() => {}); // it is gone: a newer one comes
      }
      this.loading = false;
    },
    async replace(one) {
      const images = [this.image(one, one.url)];
      if (this.heat && one.heat) images.push(this.image(one, one.heat, one.place));
      await Promise.race([Promise.all(images.map((image) => image.decode())), late()]);
      this.$refs.holder?.replaceChildren(...images);
      this.picture = one;
      this.announced = undefined;
    },
    image(one, src, place) {
      const image = new Image();
      image.alt = place ? "" : one.label;
      if (place) {
        image.className = "live-heat";
        Object.assign(image.style, place);
      }
      image.src = src;
      return image;
    },
  },
};
