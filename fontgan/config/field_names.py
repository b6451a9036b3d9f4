"""Names that the field has for what fontgan has, so that an error can say what to write here.

Names are of papers, PyTorch, pix2pix, zi2zi and its descendants.  They are told apart by their letters and digits alone:
``PixelShuffle``, ``pixel_shuffle`` and ``pixelshuffle`` are one.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from fontgan.config.groups import choices, groups

# What to write -> names of variants.
VARIANTS = {
    "generator/up=subpixel": "pixelshuffle subpixelconv subpixelconvolution espcn depthtospace",
    "generator/up=subpixel_resskip": "pixelshuffleupblock pixelshuffleresskip",
    "generator/up=subpixel generator.up.resize.icnr=true": "icnr",
    "generator/up=deconv": "convtranspose transposedconv transposedconvolution transposeconv deconvolution upconv",
    "generator/up=interpolate_conv": "bilinear interpolate interpolation upsample upsampling upsampleconv resizeconv upsamplebilinear",
    "generator/up=interpolate_conv generator.up.resize.mode=bicubic": "bicubic",
    "generator/up=nearest_conv": "nearest nearestneighbor nearestneighbour upsamplenearest",
    "generator/up=learnable_interpolation": "learnableinterpolationupsample learnableupsample",
    "generator/up=conv_only": "convonlyup denseconvup",
    "generator/up=gated": "gatedinterpolate gatedinterpolation gatedfusion featurewisegatedfusion",
    "generator/up=meta": "metaupsample metasr",
    "generator/up=hybrid": "hybridinterpolation hybridupsample",
    "generator/up=attention_gate": "attentiongate attentionunet attunet",
    "generator/up/fusion=concat": "cat concatenate concatenation stack",
    "generator/up/fusion=add": "sum addition",
    "generator/up/refine=conv": "fusionconv postconv plainconv convrelu convnormact doubleconv conv3x3",
    "generator/up/refine=resskip_standard": "resskip residual residualadd residualblock resblock resnetblock resnet basicblock",
    "generator/up/refine=resskip_depthwise": "resskip",
    "generator/up/refine=depthwise_separable": "depthwise depthwiseconv depthwiseseparableconv dsconv separable separableconv mobilenet mobilenetv1",
    "generator/up/refine=inverted_residual": "mobilenetv2 invertedbottleneck",
    "generator/up/refine=mbconv": "efficientnet mobilenetv3 se seblock senet squeezeexcitation squeezeexcite",
    "generator/up/refine=fused_mbconv": "efficientnetv2",
    "generator/attention=self generator.attention_levels=[3]": "selfattention selfattn sagan nonlocal attention",
    "generator/attention=linear generator.attention_levels=[3]": "linearattention",
    "generator/innermost=transformer": "vit multiheadattention multiheadselfattention mhsa",
    "generator/norm=instance": "instancenorm instancenormalization",
    "generator/norm=batch": "batchnorm batchnormalization bn",
    "generator/norm=group": "groupnorm groupnormalization gn",
    "generator/norm=group generator.norm.groups=1": "layernorm layer ln",
    "generator/style=concat": "embedding styleembedding categoryembedding onehot",
    "generator/style=adain_all": "stylegan adaptiveinstancenorm adaptiveinstancenormalization",
    "generator/style=reference": "fewshot styleencoder",
    "data.size=256 generator.depth=8": "unet256",
    "data.size=128 generator.depth=7": "unet128",
    "discriminator=patch": "patchgan patchdiscriminator pix2pix",
    "discriminator=patch discriminator.head=projection": "projection",
    "loss=ink_gan": "gan hinge",
    "loss=ink_gan loss.adversarial.kind=least_squares": "lsgan mse",
    "loss=ink_gan loss.adversarial.kind=non_saturating": "vanilla bce",
    "experiment=zi2zi_classic": "zi2zi zi2zipytorch rewrite",
    "data=fonts": "ttf otf font",
    "data=folder": "images image png dir directory",
    "logger=tensorboard": "tb tensorboardx",
    "logger=wandb": "weightsandbiases",
}
# What to write -> names of settings.
KEYS = {
    "generator/up": "upmode upsample upsampling upsamplemode upsampler uptype upblock upconv upsampletype",
    "generator/up/fusion": "skipmode skipfusion",
    "generator/up/refine=conv": "fusionconv postconv",
    "generator/up/refine=inverted_residual generator.up.refine.expansion=6": "expandratio expansionratio expansion",
    "generator/up/refine=bottleneck generator.up.refine.reduction=4": "reduction reductionratio",
    "generator/norm": "normtype normlayer normalization",
    "generator/style": "stylemode conditioning",
    "generator.attention_levels": "useattention attn selfattention useselfattention",
    "generator.depth": "numdowns numdown ndowns numlevels nlayers",
    "generator.ngf": "nf filters nfilters basechannels generatordim genfilters",
    "generator.dropout": "usedropout nodropout droprate",
    "generator.innermost_stride": "stride innermoststride downconvstride upconvstride",
    "generator.init": "inittype weightinit",
    "generator.antialias_down": "blurpool antialias antialiasing",
    "generator.style.dim": "embeddingdim embeddingdims embeddim styledim latentdim",
    "generator": "model netg",
    "discriminator": "netd",
    "discriminator.ndf": "discriminatordim discfilters",
    "discriminator.spectral_norm": "spectralnorm sn",
    "loss.l1.weight": "l1penalty l1weight l1lambda lambdal1",
    "loss.constancy.weight": "lconstpenalty constpenalty lambdaconst constweight",
    "loss.category.weight": "lcategorypenalty categorypenalty lambdacategory categoryweight",
    "loss.total_variation.weight": "ltvpenalty tvpenalty tvweight lambdatv",
    "loss.adversarial.weight": "lambdaadv lambdagan ganweight advweight",
    "loss.adversarial.kind": "ganmode gantype ganloss",
    "loss.perceptual.weight": "lambdaperceptual lambdavgg vggweight perceptualweight lpips",
    "loss.feature_matching.weight": "lambdafeat lambdafm featureweight",
    "loss.edge.weight": "lambdaedge edgeweight edgeloss edgeawareloss sobel",
    "loss.r1.weight": "r1gamma lambdagp gradientpenalty",
    "optim": "optimizer optimiser",
    "optim.lr": "learningrate lrg glr baselr",
    "optim.discriminator_lr": "lrd dlr disclr",
    "optim.algorithm.betas": "beta1 beta2 adambetas",
    "optim.warmup_steps": "warmup warmupiters",
    "optim.final_lr_share": "lrpolicy lrschedule lrscheduler scheduler",
    "trainer.batch_size": "batch bs",
    "batch_size": "batch bs",
    "trainer.max_steps": "epoch epochs nepochs numepochs maxepochs niter niters iterations steps maxiter numsteps",
    "trainer.device": "gpu gpus gpuid gpuids cuda mps metal",
    "device": "gpu gpus gpuid gpuids cuda mps metal",
    "trainer.precision": "amp fp16 bf16 mixedprecision half dtype",
    "precision": "amp fp16 bf16 mixedprecision half dtype",
    "trainer.ema_decay": "ema emabeta",
    "trainer.grad_clip": "clipgrad gradclipnorm maxgradnorm gradientclipping",
    "trainer.accumulate": "gradaccum accumgrad accumulationsteps gradientaccumulation gradientaccumulationsteps",
    "trainer.save_every": "savefreq saveepochfreq saveinterval checkpointsteps checkpointevery",
    "trainer.eval_every": "evalfreq evalinterval displayfreq samplesteps sampleinterval validationsteps",
    "trainer.log_every": "logfreq loginterval printfreq",
    "trainer.seed": "randomseed manualseed",
    "trainer.freeze": "freezeencoder",
    "data.source": "dataroot datadir datapath dataset srcfont sourcefont contentfont src",
    "data.targets": "dstfont targetfont stylefont stylefonts embeddingnum fontsnum numstyles stylenum numfonts numclasses categorynum",
    "data.size": "imagesize imgsize resolution inputwidth loadsize cropsize finesize canvassize",
    "size": "imagesize imgsize resolution canvassize",
    "data.charset": "chars characters charsetfile",
    "charset": "chars characters charsetfile",
    "data.holdout": "valratio testratio valsplit testsplit splitratio",
    "data.workers": "numworkers nthreads dataloaderworkers",
    "data.augment.strength": "augmentation aug noflip flip",
    "out": "outdir output outputdir outpath savedir savepath resultsdir logdir experimentdir expdir checkpointsdir checkpointdir",
    "out=RUN": "resume resumefrom continuetrain",
    "init_from": "pretrained pretrain finetune loadmodel initcheckpoint weights ckpt modelpath",
    "checkpoint": "model modelpath modeldir weights ckpt checkpointpath loadmodel resume pretrained",
    "style": "label labels styleid fontid embeddingid",
    "style_path": "embeddingids interpolate interpolation",
    "input": "sourceobj inputdir indir dataroot datadir",
    "font": "srcfont sourcefont ttf",
}  # fmt: skip
# What to write instead -> names of variants that fontgan does not have.
NEAREST = {
    "generator/style=adain_all": "spade conditionalinstancenorm cin weightdemodulation",
    "generator/up=carafe": "deformable dcn deformableconv",
    "generator/up/refine=resskip_standard": "convnext densenet denseblock",
    "loss=ink_gan": "wgan wgangp",
    "optim=adamw": "sgd rmsprop lion",
}


def plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _by_name(table: Mapping[str, str]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for target, names in table.items():
        for name in names.split():
            found[name].append(target)
    return dict(found)


_VARIANTS, _KEYS, _NEAREST = map(_by_name, (VARIANTS, KEYS, NEAREST))


def variant_hint(group: str, name: str, said: str = "") -> str:
    """What a variant is called here: `` pixelshuffle is generator/up=subpixel here.``; empty where that is not known.

    Args: said: what was written, where that was something else than the name.
    """
    known = choices(group)
    for wanted in (plain(name), re.sub("(2d|block)$", "", plain(name))):
        spelt = [f"{group}={one}" for one in known if plain(one) == wanted]
        other = [f"{g}={one}" for g in groups() for one in choices(g) if plain(one) == wanted and len(wanted) > 2]
        there = [t for t in _VARIANTS.get(wanted, ()) if t.partition("=")[0] == group]
        # Blocks of one group may have their place in another too: refinements in the encoder, resizes alone.
        moved = [f"{group}={one}" for t in _VARIANTS.get(wanted, ()) if (one := t.partition("=")[2]) in known]
        for found in (spelt, there, moved, _VARIANTS.get(wanted, ()), other):
            if found:
                return f" {said or name} is {' or '.join(found)} here."
        if nearest := _NEAREST.get(wanted):
            return f" {name} is not here; {nearest[0]} comes nearest."
    return ""


def key_hint(key: str, value: str, has: Collection[str], settings: Iterable[str] = ()) -> str:
    """What a setting is called here: `` epochs is trainer.max_steps here.``; empty where that is not known.

    Args:
        value: that it was given.
        has: the first words of the keys that the verb has.
        settings: the verb's keys, dotted; one of the same last word comes first.
    """
    name = key.rpartition("/")[2].rpartition(".")[2]
    same = [one for one in (*groups(), *settings) if plain(re.split("[./]", one)[-1]) == plain(name) and one != key]
    known = same if 0 < len(same) <= 2 and "/" not in key else _KEYS.get(plain(name), [])
    found = [one for one in known if re.split("[./=]", one)[0] in has]
    if not found:
        return ""
    if found[0] in groups() and value:
        if value in choices(found[0]):
            return f" {name}={value} is {found[0]}={value} here."
        if hint := variant_hint(found[0], value, f"{name}={value}"):
            return hint
    return f" {name} is {' or '.join(found if found == same else found[:1])} here."
